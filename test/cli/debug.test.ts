// A shell in the workspace of a step that failed: what it sees, who may open it, and what becomes of a fix.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type CommandEnd, listProcessesOf, runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const SECRET = { ESTEIRA_SECRET_API_KEY: "secret-of-the-shop" };
const TERMINAL = resolve(import.meta.dirname, "../setup/terminal.py");
const ESTEIRA = resolve(import.meta.dirname, "../../bin/esteira");

async function createProject(): Promise<string> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"), { recursive: true });
  await writeFile(join(folder, "esteira.yaml"), "name: shop\n");
  await writeFile(join(folder, "table.sql"), "select 1 as a\n");
  await writeFile(join(folder, "work.py"), "raise SystemExit(3)\n");
  await writeFile(
    join(folder, "pipelines/p.yaml"),
    `params: { size: 3 }
steps:
  good: { run: 'mkdir -p out; echo hello > out/a.txt', makes: { report: out } }
  work: { python: work.py, inputs: [good], params: { size: "\${{ params.size }}" }, env: { COLOR: red }, secrets: [api_key] }
  items: { run: 'test "$ESTEIRA_ITEM" = one', for_each: [one, two, three] }
  table: { sql: table.sql }
  last: { run: echo last, needs: work }
`,
  );
  return folder;
}

async function failedRun(folder: string): Promise<void> {
  const { code, stderr } = await runEsteira(folder, ["run", "p"], SECRET);
  assert.equal(code, 1, stderr);
}

const debug = (folder: string, ...words: string[]): Promise<CommandEnd> =>
  runEsteira(folder, ["debug", "latest", ...words], SECRET);

async function adminToken(folder: string): Promise<string> {
  const { stdout } = await runEsteira(folder, ["user", "create", "ana", "--json"]);
  const { token } = JSON.parse(stdout) as { token: string };
  return token;
}

/** Types into a command's terminal. */
async function type(
  folder: string,
  words: readonly string[],
  steps: readonly (readonly [string, string, number])[],
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const child = spawn("python3", [TERMINAL, ESTEIRA, ...words], {
    cwd: folder,
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...SECRET, TERM: "dumb" },
  });
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (shown += text));
  child.stdin.end(JSON.stringify(steps));
  return new Promise((done) => child.once("close", (code) => done({ code, shown })));
}

describe("esteira debug", () => {
  it("gives a command what the step would have, takes a fix into the project, and retry goes on from there", async () => {
    const folder = await createProject();
    await failedRun(folder);
    const look = `echo "$COLOR $api_key"; cat "$ESTEIRA_CONTEXT"; echo "[$ESTEIRA_COMMAND]"; ls; python -c "import sys; print(sys.prefix)"; exit 7`;
    const seen = await debug(folder, "work", "--", "sh", "-c", look);
    assert.equal(seen.code, 7, seen.stderr);
    assert.match(seen.stdout, /^red secret-of-the-shop$/m);
    assert.match(seen.stdout, /"size": 3/);
    assert.match(seen.stdout, /"good": \{\s+"format": "tree\/1"/);
    assert.match(seen.stdout, /\[\/.*python.* \/.*work\.py\]/);
    assert.match(seen.stdout, /\.esteira\/python\//, "its own environment comes first");
    assert.match(seen.stderr, /With its secrets: api_key/);
    const again = await debug(folder, "work", "--", "sh", "-ec", 'sh -ec "$ESTEIRA_COMMAND"');
    assert.equal(again.code, 3, again.stderr);

    const fix = 'echo "print(1)" > work.py; echo x > new.txt; ln -s /etc/passwd link; exit 0';
    const left = await debug(folder, "work", "--", "sh", "-c", fix);
    assert.match(left.stderr, /Changed there and not in the project: new\.txt, work\.py\./);
    const kept = /Copies are in (\S+);/.exec(left.stderr)?.[1] ?? "";
    assert.deepEqual((await readdir(kept)).sort(), ["new.txt", "work.py"]);
    assert.equal(await readFile(join(folder, "work.py"), "utf8"), "raise SystemExit(3)\n");

    const taken = await debug(folder, "work", "--apply", "--", "sh", "-c", fix);
    assert.equal(taken.code, 0, taken.stderr);
    assert.match(taken.stderr, /Taken into the project: new\.txt, work\.py\. Go on with: esteira retry 01/);
    assert.equal(await readFile(join(folder, "work.py"), "utf8"), "print(1)\n");
    await assert.rejects(access(join(folder, "link")));
    assert.deepEqual(await readdir(join(folder, ".esteira/work")), []);

    const retried = await runEsteira(folder, ["retry", "latest", "work", "--json"], SECRET);
    const { stepRuns } = JSON.parse(retried.stdout) as { stepRuns: { step: string; status: string }[] };
    const of = (name: string): string | undefined => stepRuns.find(({ step }) => step === name)?.status;
    assert.deepEqual([of("good"), of("work"), of("last")], ["succeeded", "succeeded", "succeeded"]);
    const audit = await runEsteira(folder, ["audit", "export"]);
    const opened = audit.stdout.split("\n").filter((line) => line.includes("step_run.debugged"));
    assert.equal(opened.length, 4);
    assert.match(opened[0] ?? "", /local:/);
    assert.match(opened[0] ?? "", /api_key/);
    assert.doesNotMatch(audit.stdout, /secret-of-the-shop/);
  });

  it("leaves a file alone that was changed in the project meanwhile", async () => {
    const folder = await createProject();
    await failedRun(folder);
    const { child, ended } = startEsteira(
      folder,
      ["debug", "latest", "work", "--apply", "--", "sh", "-c", "echo mine > work.py; touch ready; sleep 1"],
      SECRET,
    );
    const work = join(folder, ".esteira/work");
    const isReady = async (): Promise<boolean> => {
      for (const id of await readdir(work).catch((): string[] => []))
        if ((await readdir(join(work, id, "project")).catch((): string[] => [])).includes("ready")) return true;
      return child.exitCode !== null;
    };
    while (!(await isReady())) await delay(20);
    await writeFile(join(folder, "work.py"), "print('theirs')\n");
    const { stderr } = await ended;
    assert.match(stderr, /Changed there and not in the project: work\.py\./);
    assert.equal(await readFile(join(folder, "work.py"), "utf8"), "print('theirs')\n");
  });

  it("says what cannot be opened: no terminal, several items, a step without a process, an unknown step", async () => {
    const folder = await createProject();
    await failedRun(folder);
    const refused = async (code: number, expected: RegExp, ...words: string[]): Promise<void> => {
      const end = await debug(folder, ...words);
      assert.equal(end.code, code, end.stderr);
      assert.match(end.stderr, expected);
    };
    await refused(2, /no terminal to open a shell in: give a command behind --/, "work");
    await refused(2, /has 3 items, 2 of them failed: name one with --item, as two, three/, "items", "--", "true");
    await refused(1, /kind "sql" starts no process of yours/, "table", "--", "true");
    await refused(2, /The run has no step "wrok"; it has good, /, "wrok", "--", "true");
    const item = await debug(
      folder,
      "items",
      "--item",
      "two",
      "--",
      "sh",
      "-c",
      'echo "item $ESTEIRA_ITEM"; ls --help',
    );
    assert.match(item.stdout, /^item two$/m);
    assert.match(item.stdout, /Usage: ls/, "words behind -- are the command's");
  });

  it("refuses who may not run pipelines", async () => {
    const folder = await createProject();
    await failedRun(folder);
    const created = await runEsteira(folder, ["user", "create", "eve", "--role", "viewer", "--json"], {
      ESTEIRA_TOKEN: await adminToken(folder),
    });
    const { token } = JSON.parse(created.stdout) as { token: string };
    const { code, stderr, stdout } = await runEsteira(folder, ["debug", "latest", "work", "--", "env"], {
      ...SECRET,
      ESTEIRA_TOKEN: token,
    });
    assert.equal(code, 1);
    assert.match(stderr, /ACCESS_DENIED/);
    assert.doesNotMatch(stdout, /secret-of-the-shop/);
  });

  it("gives a shell the keys of its terminal, and no way to type into it from inside the sandbox", async () => {
    const folder = await createProject();
    await failedRun(folder);
    const push = "python -c \"import fcntl; fcntl.ioctl(0, 0x5412, b'x')\" 2>&1 | tail -1\n";
    const { code, shown } = await type(
      folder,
      ["debug", "latest", "work"],
      [
        ["", "$ ", 60],
        ["echo sum $((40+2))\n", "sum 42", 10],
        ["sleep 1000\n", "", 1],
        ["\u0003", "$ ", 10],
        ["echo alive $((1+1))\n", "alive 2", 10],
        [push, "not permitted", 10],
        ["ls /home /root 2>&1 | tail -1; exit 5\n", "", 3],
      ],
    );
    assert.equal(code, 5, shown);
    for (const expected of ["sum 42", "alive 2", "Operation not permitted", "esteira work:project$"])
      assert.ok(shown.includes(expected), `${expected} in ${shown}`);
    assert.deepEqual(await readdir(join(folder, ".esteira/work")), []);
    assert.deepEqual(await listProcessesOf(folder), []);
  });

  it("ends what it runs with itself, also when it is killed, and the next one clears what was left", async () => {
    const folder = await createProject();
    await failedRun(folder);
    for (const signal of ["SIGINT", "SIGKILL"] as const) {
      const { child, ended } = startEsteira(
        folder,
        ["debug", "latest", "work", "--", "sh", "-c", "echo began; sleep 1000"],
        SECRET,
      );
      await new Promise((began) => child.stdout?.once("data", began));
      signalGroup(child, signal);
      const { code } = await ended;
      assert.equal(code, signal === "SIGINT" ? 130 : null);
      const until = Date.now() + 10_000;
      while ((await listProcessesOf(folder)).length > 0 && Date.now() < until) await delay(50);
      assert.deepEqual(await listProcessesOf(folder), []);
      assert.equal((await readdir(join(folder, ".esteira/work"))).length, signal === "SIGINT" ? 0 : 1);
    }
    await debug(folder, "work", "--", "true");
    assert.deepEqual(await readdir(join(folder, ".esteira/work")), []);
  });
});
