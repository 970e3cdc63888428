// Files that are too large to be copied for a step, and those that git ignores, are links where the step works.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import type { RecipeDifference } from "#api";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

it("files that git ignores or that are large are read by who names them, and belong to cache and recipe", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await mkdir(join(folder, "data"));
  const large = (letter: string): Promise<void> =>
    writeFile(join(folder, "large.bin"), Buffer.alloc(9 * 2 ** 20, letter));
  await writeFile(join(folder, "esteira.yaml"), "name: shop\n");
  await writeFile(join(folder, ".gitignore"), ".esteira/\ndata/\n");
  await writeFile(join(folder, "data/in.txt"), "one\n");
  await large("a");
  await writeFile(join(await temporaryFolder(), "outside"), "secret");
  await writeFile(
    join(folder, "pipelines/p.yaml"),
    `steps:
  named: { run: 'mkdir out; cat data/in.txt large.bin | cksum > out/sum', files: [data/in.txt, large.bin], makes: { report: out } }
  globbed: { run: 'mkdir out; cat data/*.txt | cksum > out/sum', files: 'data/**', makes: { report: out } }
`,
  );
  execFileSync("git", ["init", "--quiet", folder]);
  const run = async (): Promise<string> => {
    const { code, stdout, stderr } = await runEsteira(folder, ["run", "p"]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const files = async (asset: string): Promise<readonly string[]> => {
    const { stdout, stderr } = await runEsteira(folder, ["recipe", "diff", asset, "none", "--json"]);
    assert.notEqual(stdout, "", stderr);
    const { changes } = JSON.parse(stdout) as RecipeDifference;
    return changes.flatMap(({ part, name, after }) => (part === "file" ? [`${name} ${after?.slice(0, 11)}`] : []));
  };
  await run();
  assert.deepEqual(
    (await files("named")).map((file) => file.split(" ")[0]),
    ["data/in.txt", "large.bin"],
  );
  assert.equal((await files("globbed")).length, 1);
  assert.match(await run(), /0 run, 2 cached/);
  const before = await files("named");
  await large("b");
  assert.match(await run(), /1 run, 1 cached/);
  assert.notDeepEqual(await files("named"), before);

  // A link of the project's own still leads nowhere outside.
  await symlink(join(await temporaryFolder(), "outside"), join(folder, "data/leak.txt"));
  await writeFile(join(folder, "pipelines/q.yaml"), "steps: { leak: { run: 'true', files: data/leak.txt } }\n");
  const { stderr, stdout } = await runEsteira(folder, ["run", "q"]);
  assert.match(stderr + stdout, /no file of the project matches|leads to/);
});
