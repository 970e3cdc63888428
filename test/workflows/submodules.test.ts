// Checkouts of repositories that name others, or files kept elsewhere.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "../setup/stores.ts";
import { createRepository } from "./repository.ts";

const workflow = (inputs: string, run: string): string =>
  `on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ uses: actions/checkout@v5, with: { ${inputs} } }, { run: '${run}' }] } }\n`;
const BIG = "what is large\n";
const OID = createHash("sha256").update(BIG).digest("hex");
const pointer = (oid: string): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${BIG.length}\n`;

const git = (folder: string, ...args: readonly string[]): string =>
  execFileSync(
    "git",
    ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always", ...args],
    {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    },
  );

describe("a checkout", async () => {
  const library = await temporaryFolder();
  git(library, "init", "-q", "-b", "main");
  writeFileSync(join(library, "lib.txt"), "of the library\n");
  git(library, "add", "-A");
  git(library, "commit", "-qm", "library");
  const repository = await createRepository({
    "data/large.bin": pointer(OID),
    "data/gone.bin": pointer("0".repeat(64)),
    with: workflow("submodules: recursive", "cat vendor/lib/lib.txt && git -C vendor/lib status"),
    without: workflow("fetch-depth: 0", "test ! -e vendor/lib/lib.txt && grep -q git-lfs data/large.bin"),
    lfs: workflow("lfs: true", "cat data/large.bin && grep git-lfs data/gone.bin"),
    link: workflow("submodules: true", "echo reached"),
  });
  const { folder } = repository;
  git(folder, "submodule", "--quiet", "add", library, "vendor/lib");
  git(folder, "commit", "-qm", "submodule");
  const objects = join(folder, ".git/lfs/objects", OID.slice(0, 2), OID.slice(2, 4));
  mkdirSync(objects, { recursive: true });
  writeFileSync(join(objects, OID), BIG);

  it("has the submodules that the project has checked out, where it asks for them", async () => {
    const ended = await repository.run("with");
    assert.match(await ended.log("a"), /Submodule vendor\/lib is at [0-9a-f]{12}[\s\S]*of the library/);
    assert.equal(ended.status, "succeeded");
    assert.equal((await repository.run("without")).status, "succeeded");
  });

  it("has files of LFS that the project has, and says which it lacks", async () => {
    const ended = await repository.run("lfs");
    assert.match(await ended.log("a"), /1 file is kept by LFS and not here[\s\S]*what is large\n[\s\S]*git-lfs/);
    assert.equal(ended.status, "succeeded");
    writeFileSync(join(objects, OID), "something else");
    assert.match(await (await repository.run("lfs")).log("a"), /2 files are kept by LFS and not here/);
  });

  it("does not take a submodule through a link, nor from an address on this machine", async () => {
    const outside = await temporaryFolder();
    const commit = git(library, "rev-parse", "HEAD").trim();
    rmSync(join(folder, "vendor"), { recursive: true });
    const elsewhere = await repository.run("link");
    assert.equal(elsewhere.status, "failed");
    assert.match(await elsewhere.log("a"), /transport 'file' not allowed|does not exist|not a git repository/);
    git(folder, "rm", "-rq", "--cached", "vendor");
    git(folder, "update-index", "--add", "--cacheinfo", `160000,${commit},place/sub`);
    git(outside, "clone", "-q", library, "sub");
    symlinkSync(outside, join(folder, "place"));
    git(folder, "commit", "-qm", "link");
    const through = await repository.run("link");
    assert.doesNotMatch(await through.log("a"), /Submodule place\/sub is at|reached/);
    assert.equal(through.status, "failed");
  });
});
