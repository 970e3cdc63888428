// Set-up actions that install, and what they keep from run to run. They ask the registries of packages.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findCommand } from "../../src/workflows/runner/processes.ts";
import { createRepository } from "./repository.ts";

const ON = "on: { push: {}, workflow_dispatch: {} }\n";
const only = (steps: string, more = ""): string =>
  `${ON}jobs:\n  a:\n    runs-on: ubuntu-latest\n${more}    steps:\n${steps}`;

const hasJava = findCommand("java", process.env["PATH"] ?? "") !== undefined;
const hasRust = findCommand("rustc", process.env["PATH"] ?? "") !== undefined;

describe("set-up actions", async () => {
  const repository = await createRepository({
    node: only(`      - uses: actions/checkout@v4
      - id: node
        uses: actions/setup-node@v4
        with: { node-version: 22, registry-url: "https://npm.example.org/team", scope: "@Acme", cache: npm, cache-dependency-path: js/package-lock.json }
      - run: |
          case "$(node --version)/$(npm --version)" in v22.*/10.*) ;; *) exit 1 ;; esac
          echo "hit=\${{ steps.node.outputs.cache-hit }}."
          test "$(npm config get @acme:registry)" = https://npm.example.org/team/
          grep -Fx '//npm.example.org/team/:_authToken=\${NODE_AUTH_TOKEN}' "$NPM_CONFIG_USERCONFIG"
      - run: cd js && npm ci && node -e 'console.log("installed", require("is-number")(5))'
        env: { NPM_CONFIG_USERCONFIG: /dev/null }
`),
    pip: only(`      - uses: actions/checkout@v4
      - id: python
        uses: actions/setup-python@v5
        with: { python-version: "3.11", cache: pip, cache-dependency-path: py/requirements.txt }
      - run: |
          echo "hit=\${{ steps.python.outputs.cache-hit }}."
          test "\${{ steps.python.outputs.cache-hit }}" = false || test -f "$(pip cache dir)/kept"
          pip install -r py/requirements.txt
          mkdir -p "$(pip cache dir)" && touch "$(pip cache dir)/kept"
          python -c 'import iniconfig; print("installed", iniconfig.__name__)'
          test "$(which python)" = "\${{ steps.python.outputs.python-path }}"
`),
    versions: only(
      `      - uses: actions/setup-python@v5
        with: { python-version: "\${{ matrix.python }}" }
      - run: python --version && python -m pip --version
`,
      '    strategy: { matrix: { python: ["3.11", "3.x", "2.6"] } }\n',
    ),
    uv: only(`      - uses: actions/checkout@v4
      - id: uv
        uses: astral-sh/setup-uv@v6
        with: { enable-cache: true, cache-dependency-glob: py/requirements.txt, python-version: "3.11" }
      - run: |
          uv --version && uv venv -q && uv pip install -q -r py/requirements.txt
          case "$(.venv/bin/python --version)" in *" 3.11."*) ;; *) exit 1 ;; esac
          .venv/bin/python -c 'import iniconfig; print("installed")'
`),
    pnpm: only(`      - uses: actions/checkout@v4
      - uses: pnpm/action-setup@v4
        with: { version: 9 }
      - uses: actions/setup-node@v4
        with: { node-version: 24 }
      - run: case "$(pnpm --version)" in 9.*) ;; *) exit 1 ;; esac
      - run: cd js && pnpm install --no-frozen-lockfile && node -p 'require("is-number")(5)'
`),
    bun: only(`      - uses: oven-sh/setup-bun@v2
        with: { bun-version: 1.1.x }
      - run: case "$(bun --version)" in 1.1.*) ;; *) exit 1 ;; esac && bun -e 'console.log("bun says " + (6 * 7))'
`),
    deno: only(`      - uses: denoland/setup-deno@v2
        with: { deno-version: v2.x }
      - run: deno eval 'console.log("deno says " + (6 * 7))'
`),
    rust: only(`      - uses: dtolnay/rust-toolchain@stable
      - uses: actions/checkout@v4
      - uses: Swatinem/rust-cache@v2
      - run: cd rust && cargo test --offline
`),
    "cache-missing": only(`      - uses: actions/setup-node@v4
        with: { node-version: 24, cache: npm }
`),
    maven: only(`      - uses: actions/checkout@v4
      - uses: actions/setup-java@v4
        id: setup
        with: { distribution: temurin, cache: maven }
      - run: echo "hit=$HIT." && ls ~/.m2/repository/kept || (mkdir -p ~/.m2/repository && echo jar > ~/.m2/repository/kept)
        env: { HIT: "\${{ steps.setup.outputs.cache-hit }}" }
`),
    "java/pom.xml": "<project/>\n",
    java: only(
      "      - uses: actions/setup-java@v4\n        with: { distribution: temurin, java-version: 3 }\n      - run: java -version\n",
    ),
    "rust/Cargo.toml": '[package]\nname = "rust"\nversion = "1.0.0"\nedition = "2021"\n',
    "rust/src/lib.rs": "#[test]\nfn adds() { assert_eq!(1 + 1, 2); }\n",
    "js/package.json": '{ "name": "js", "version": "1.0.0", "dependencies": { "is-number": "7.0.0" } }\n',
    "js/package-lock.json": `${JSON.stringify({
      name: "js",
      version: "1.0.0",
      lockfileVersion: 3,
      packages: {
        "": { name: "js", version: "1.0.0", dependencies: { "is-number": "7.0.0" } },
        "node_modules/is-number": { version: "7.0.0" },
      },
    })}\n`,
    "py/requirements.txt": "iniconfig\n",
  });
  const succeeds = async (name: string): Promise<string> => {
    const ended = await repository.run(name);
    const log = await ended.log("a");
    assert.equal(ended.status, "succeeded", `${JSON.stringify(ended.steps.map(({ error }) => error ?? null))}\n${log}`);
    return log;
  };

  it(
    "setup-java keeps what Maven downloaded",
    { skip: !hasJava && "there is no java on the search path" },
    async () => {
      assert.match(await succeeds("maven"), /hit=false\./);
      assert.match(await succeeds("maven"), /hit=true\.[^]*repository\/kept/);
    },
  );

  it("setup-node installs a version, names the registry, and keeps what npm downloaded", async () => {
    assert.match(await succeeds("node"), /hit=false\.[^]*installed true/);
    assert.match(await succeeds("node"), /hit=true\.[^]*installed true/);
  });
  it("setup-python gives an environment of the job's own, and keeps what pip downloaded", async () => {
    assert.match(await succeeds("pip"), /hit=false\.[^]*installed iniconfig/);
    assert.match(await succeeds("pip"), /hit=true\.[^]*installed iniconfig/);
  });
  it("setup-python runs the combinations whose version is here", async () => {
    const told = repository.found.find(({ name }) => name === "versions");
    assert.match(told?.leftOut[0]?.message ?? "", /Python 2\.6 is not on this machine: there is \d/);
    await succeeds("versions");
  });
  it("setup-uv installs", async () => {
    assert.match(await succeeds("uv"), /installed/);
  });
  it("pnpm/action-setup installs the version that is asked for", async () => {
    assert.match(await succeeds("pnpm"), /true/);
  });
  it("setup-bun installs the version that is asked for", async () => {
    assert.match(await succeeds("bun"), /bun says 42/);
  });
  it("setup-deno installs", async () => {
    assert.match(await succeeds("deno"), /deno says 42/);
  });
  it("a toolchain of rustup compiles and tests", { skip: hasRust ? false : "this machine has no Rust" }, async () => {
    assert.match(await succeeds("rust"), /1 passed/);
  });
  it("a cache without a lock file fails, and says which are looked for", async () => {
    const ended = await repository.run("cache-missing");
    assert.equal(ended.status, "failed");
    assert.match(await ended.log("a"), /no file was found of \*\*\/package-lock\.json/);
  });
  it("a tool that is not here is named before anything starts", () => {
    const told = repository.found.find(({ name }) => name === "java");
    assert.equal(told?.state, "refused");
    assert.match(told.problems[0]?.message ?? "", /Java/);
    assert.equal(told.problems[0]?.line, 6);
  });
});
