// The whole way, from two clones of a commit to what other tools read.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { testEnvironments } from "../setup/attempt.ts";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");
const PIPELINE = `steps:
  bundle:
    run: mkdir -p out && cp src/*.mjs package.json out/
    makes: { code: out/ }
  tool: { package: bundle, at: /opt/tool }
  web: { package: bundle, base: tool, command: [node, server.mjs], ports: [8080] }
  files: { package: bundle, as: archive }
`;
const VALIDATOR = `
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1], encoding="utf-8").read())
sys.exit(0 if wrong is None else str(wrong))
`;

async function build(repository: string): Promise<string> {
  const folder = await temporaryFolder();
  await run("git", ["clone", "-q", repository, join(folder, "clone")]);
  const project = join(folder, "clone");
  for (const words of [
    ["run", "pack"],
    ...["web", "files"].map((name) => ["code", "export", name, "--to", join(folder, name)]),
  ]) {
    const ended = await runEsteira(project, words);
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
  }
  return folder;
}

const skip = spawnSync("skopeo", ["--version"]).error === undefined ? false : "there is no skopeo on the search path";

it(
  "two clones of one commit give the same image and archive, which skopeo reads and a validator accepts",
  { skip },
  async () => {
    const repository = await temporaryFolder();
    await cp(join(ROOT, "examples/service"), repository, { recursive: true });
    await cp(join(ROOT, "package-lock.json"), join(repository, "package-lock.json"));
    await mkdir(join(repository, "pipelines"), { recursive: true });
    await writeFile(join(repository, "pipelines/pack.yaml"), PIPELINE);
    const git = (...args: readonly string[]): Promise<unknown> =>
      run("git", ["-C", repository, "-c", "user.name=ana", "-c", "user.email=ana@localhost", ...args]);
    await git("init", "-q", ".");
    await git("add", ".");
    await git("commit", "-q", "-m", "First");
    const [one, two] = [await build(repository), await build(repository)];
    for (const path of [
      "web/image/index.json",
      "web/provenance.intoto.json",
      "web/sbom.cdx.json",
      "files/files.tar.gz",
    ])
      assert.deepEqual(await readFile(join(one, path)), await readFile(join(two, path)), path);
    const layout = `oci:${join(one, "web/image")}:latest`;
    const inspected = JSON.parse((await run("skopeo", ["inspect", layout])).stdout) as {
      Digest: string;
      Layers: string[];
    };
    const { manifests } = JSON.parse(await readFile(join(one, "web/image/index.json"), "utf8")) as {
      manifests: { digest: string }[];
    };
    assert.equal(inspected.Digest, manifests[0]?.digest);
    assert.equal(inspected.Layers.length, 2);
    // Copies every layer and checks it.
    await run("skopeo", ["copy", "--insecure-policy", layout, `dir:${join(one, "copied")}`]);
    const environment = await testEnvironments.prepare({
      requirements: "cyclonedx-python-lib[json-validation]\n",
      requirementsFile: "requirements.txt",
    });
    for (const name of ["web", "files"])
      await run(environment.python, ["-c", VALIDATOR, join(one, name, "sbom.cdx.json")]);
  },
);
