// Actions around Python packages. They ask the package index.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRepository } from "./repository.ts";

const PACKAGE = `[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "some-package"
version = "1.2.3"
description = "some"
readme = "some.md"
classifiers = ["Programming Language :: Python :: 3.11", "Programming Language :: Python :: 3.9"]
[tool.hatch.build.targets.wheel]
packages = ["some_package"]
`;

describe("actions around Python packages", async () => {
  const repository = await createRepository({
    "some/pyproject.toml": PACKAGE,
    "some/some.md": "# Some\n",
    "some/some_package/__init__.py": "",
    package: `on: push
jobs:
  build:
    runs-on: ubuntu-latest
    outputs: { versions: "\${{ steps.b.outputs.supported_python_classifiers_json_array }}" }
    steps:
      - uses: actions/checkout@v5
      - id: b
        uses: hynek/build-and-inspect-python-package@v2
        with: { path: some, upload-name-suffix: -one }
      - run: ls "\${{ steps.b.outputs.dist }}" && test "\${{ steps.b.outputs.package_name }}@\${{ steps.b.outputs.package_version }}" = "some-package@1.2.3"
  use:
    needs: build
    runs-on: ubuntu-latest
    strategy: { matrix: { python: "\${{ fromJSON(needs.build.outputs.versions) }}" } }
    steps:
      - uses: actions/download-artifact@v5
        with: { name: Packages-one, path: dist }
      - run: echo "with \${{ matrix.python }}" $(ls dist)
`,
    tools: `on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - uses: extractions/setup-just@v3
      - uses: hynek/setup-cached-uv@v2
      - run: |
          just --version && uv --version
          export UV_PYTHON_DOWNLOADS=never
          for name in $(cd "$RUNNER_TOOL_CACHE"/pythons-* && ls | grep -vE 'python3[.][0-8]$'); do
            uv run --no-project --python "\${name#python}" python -c 'import sys; print("runs", "%d.%d" % sys.version_info[:2])'
          done
      - uses: CodSpeedHQ/action@v4
        with: { run: echo measured | tr a-z A-Z, mode: simulation, token: x }
`,
  });

  it("build a package, keep it as an artifact, and tell its versions of Python", async () => {
    const ended = await repository.run("package");
    const log = `${await ended.log("build")}${await ended.log("use")}`;
    assert.deepEqual(ended.outcomes, { build: "succeeded", use: "succeeded" }, log);
    for (const text of [/with 3.9 some_package-1.2.3-\S+.whl some_package-1.2.3.tar.gz/, /with 3.11 some/])
      assert.match(log, text);
  });

  it("give just and uv, and run what would be measured", async () => {
    const ended = await repository.run("tools");
    const log = await ended.log("a");
    assert.equal(ended.status, "succeeded", log);
    const linked = log.match(/^runs 3\.\d+$/gm) ?? [];
    assert.equal(linked.length, new Set(linked).size, "each version is another");
    for (const text of [/^just \d/m, /^uv \d/m, /^runs 3\.\d+$/m, /MEASURED/, /nothing is measured/])
      assert.match(log, text);
  });
});
