import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { isEsteiraError, systemClock } from "#base";
import { getAssetVersion, listEvents } from "#metadata-store";
import { createNotebookKind, digestOfNotebook, type NotebookDeclaration, parseNotebook } from "#notebooks";
import { type TestAttempt, testAttempt, testEnvironments } from "../setup/attempt.ts";
import { describeStores, openTestStore, storeKinds, temporaryFolder, type TestStore } from "../setup/stores.ts";
import { notebookText, type TestCell } from "./notebook-text.ts";

interface Bench extends TestStore {
  readonly project: string;
  execute(
    cells: readonly TestCell[],
    declaration?: Partial<NotebookDeclaration>,
    options?: { signal?: AbortSignal; onStart?: (attempt: TestAttempt<NotebookDeclaration>) => void },
  ): Promise<Execution>;
}

interface Execution {
  readonly attempt: TestAttempt<NotebookDeclaration>;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly error: unknown;
  readonly executed: {
    readonly cells: readonly ExecutedCellJson[];
    readonly metadata: Record<string, Record<string, unknown>>;
  };
  readonly made: readonly {
    readonly asset: string;
    readonly content: object;
    readonly alsoMadeFrom?: readonly { readonly versionId: string; readonly role: string }[];
  }[];
}

interface ExecutedCellJson {
  readonly id: string;
  readonly outputs: readonly Record<string, unknown>[];
  readonly execution_count: number | null;
  readonly metadata: { readonly papermill: { readonly status: string } };
}

async function openBench(kind = storeKinds[0] ?? "sqlite"): Promise<Bench> {
  const test = await openTestStore(kind);
  const project = await temporaryFolder();
  const step = createNotebookKind({
    store: test.store,
    objects: test.objects,
    environments: testEnvironments,
    clock: systemClock,
    temporaryFolder: tmpdir(),
  });
  return {
    ...test,
    project,
    async execute(cells, declaration = {}, options = {}) {
      const file = join(project, "notebooks/n.ipynb");
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, notebookText(cells));
      const attempt = await testAttempt(
        { notebook: "notebooks/n.ipynb", ...declaration },
        {
          projectFolder: project,
          objects: test.objects,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        },
      );
      options.onStart?.(attempt);
      let facts: Readonly<Record<string, unknown>> = {};
      let made: Execution["made"] = [];
      let error: unknown;
      try {
        const outcome = await step.execute(attempt);
        assert.equal(outcome.status, "succeeded");
        if (outcome.status === "succeeded") [facts, made] = [outcome.facts ?? {}, outcome.made];
        if (outcome.status === "succeeded" && outcome.alsoWrite !== undefined)
          await test.store.write(outcome.alsoWrite);
      } catch (caught) {
        if (!isEsteiraError(caught)) throw caught;
        error = caught;
        facts = caught.context;
      }
      const digest = facts["executedNotebook"] as `sha256:${string}` | undefined;
      const executed =
        digest === undefined
          ? { cells: [], metadata: {} }
          : (JSON.parse((await test.objects.get(digest)).toString()) as Execution["executed"]);
      assert.equal(attempt.running.size, 0, "a kernel is left");
      return { attempt, facts, error, executed, made };
    },
  };
}

function textOf(output: Record<string, unknown> | undefined): string {
  return (
    (output?.["text"] ??
      (output?.["data"] as Record<string, unknown> | undefined)?.["text/plain"] ??
      []) as readonly string[]
  ).join("");
}

describeStores("a notebook step", (kind) => {
  it("keeps the executed notebook, records its source as a version and says that what it makes was made from it", async () => {
    const bench = await openBench(kind);
    const { executed, facts, made, attempt } = await bench.execute(
      [
        { source: "depth: int = 3\nname = 'x'\n", tags: ["parameters"] },
        { source: "forged = True", tags: ["injected-parameters"] },
        {
          source:
            "import esteira\nprint(depth, name, 'forged' in globals())\n(esteira.output('made') / 'a.txt').write_text(str(esteira.params['depth']))\n{'name': name}",
        },
      ],
      { params: { depth: 7 }, makes: "data" },
    );
    assert.deepEqual(
      executed.cells.map(({ id }) => id),
      ["cell-1", "injected-parameters", "cell-3"],
    );
    assert.equal(textOf(executed.cells[2]?.outputs[0]), "7 x False\n");
    assert.equal(textOf(executed.cells[2]?.outputs[1]), "{'name': 'x'}");
    const version = await bench.store.read((tx) => getAssetVersion(tx, { project: "p", asset: "notebooks/n.ipynb" }));
    assert.equal(version?.kind, "notebook");
    assert.equal(version.digest, facts["notebookDigest"]);
    assert.equal(
      digestOfNotebook(parseNotebook(JSON.stringify({ ...executed, nbformat: 4 }), "e.ipynb")),
      version.digest,
    );
    assert.deepEqual(made[0]?.alsoMadeFrom, [{ versionId: version.id, role: "notebook" }]);
    assert.ok(attempt.logged.some(({ text }) => text === "7 x False"));
    assert.equal(attempt.progressed.at(-1), "3/3 cells");
    assert.equal((await bench.store.read((tx) => listEvents(tx))).at(-1)?.type, "notebook.executed");
  });
});

describe("executing a notebook", () => {
  it("stops at the first cell that raises, names its line in the file, and keeps what was executed", async () => {
    const bench = await openBench();
    const { error, executed } = await bench.execute([
      { source: "print('before')" },
      { source: "x = 1\nraise ValueError('no rows')" },
      { source: "print('never')" },
    ]);
    assert.ok(isEsteiraError(error, "NOTEBOOKS_CELL_FAILED"), String(error));
    const text = notebookText([
      { source: "print('before')" },
      { source: "x = 1\nraise ValueError('no rows')" },
      { source: "print('never')" },
    ]);
    const line = text.split("\n").findIndex((candidate) => candidate.includes("raise ValueError")) + 1;
    assert.equal(error.message, `notebooks/n.ipynb:${line}: cell 2 raised ValueError: no rows`);
    assert.deepEqual(
      executed.cells.map(({ metadata }) => metadata.papermill.status),
      ["completed", "failed", "pending"],
    );
    assert.equal(executed.cells[1]?.outputs[0]?.["ename"], "ValueError");
  });

  it("notices that the kernel was killed, and keeps the evidence", async () => {
    const bench = await openBench();
    const { error, executed } = await bench.execute([
      { source: "print('alive')" },
      { source: "import os, signal, sys\nsys.stdout.flush()\nos.kill(os.getpid(), signal.SIGKILL)" },
    ]);
    assert.ok(isEsteiraError(error, "NOTEBOOKS_KERNEL_DIED"), String(error));
    assert.match(error.message, /died in cell 2: SIGKILL/);
    assert.equal(textOf(executed.cells[0]?.outputs[0]), "alive\n");
  });

  it("interrupts a cell that runs too long, and kills a kernel that does not heed", async () => {
    const bench = await openBench();
    const sleeping = await bench.execute([{ source: "import time\ntime.sleep(600)" }], { cell_timeout: 0.5 });
    assert.ok(isEsteiraError(sleeping.error, "NOTEBOOKS_CELL_TIMED_OUT"), String(sleeping.error));
    assert.equal(sleeping.executed.cells[0]?.outputs[0]?.["ename"], "KeyboardInterrupt");
    const stubborn = await bench.execute(
      [{ source: "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)" }],
      { cell_timeout: 0.5 },
    );
    assert.ok(isEsteiraError(stubborn.error, "NOTEBOOKS_CELL_TIMED_OUT"), String(stubborn.error));
  });

  it("ends with the attempt when it is cancelled", async () => {
    const bench = await openBench();
    const controller = new AbortController();
    const cancelled = await bench.execute(
      [{ source: "print('started')\nimport time\ntime.sleep(600)" }],
      {},
      {
        signal: controller.signal,
        onStart: (attempt) => {
          const poll = setInterval(() => {
            if (!attempt.logged.some(({ text }) => text === "started")) return;
            clearInterval(poll);
            controller.abort();
          }, 20);
        },
      },
    );
    assert.ok(isEsteiraError(cancelled.error, "NOTEBOOKS_EXECUTION_STOPPED"), String(cancelled.error));
    assert.equal(textOf(cancelled.executed.cells[0]?.outputs[0]), "started\n");
  });

  it("keeps displays, updates of displays in other cells, cleared output, and errors that are expected", async () => {
    const bench = await openBench();
    const { executed, error } = await bench.execute([
      { source: "from IPython.display import display, clear_output, HTML\nhandle = display('first', display_id='d')" },
      { source: "handle.update('second')\nfor i in range(3):\n    clear_output(wait=True)\n    print(i)" },
      { source: "1 / 0", tags: ["raises-exception"] },
      { source: "raise RuntimeError('not executed')", tags: ["skip-execution"] },
      {
        source:
          "import threading, time\nt = threading.Thread(target=lambda: print('from a thread'))\nt.start(); t.join()",
      },
      { source: "import sys\nsys.exit(0)" },
      { source: "print('after the exit')" },
    ]);
    assert.equal(error, undefined);
    assert.equal(textOf(executed.cells[0]?.outputs[0]), "'second'");
    assert.equal(textOf(executed.cells[1]?.outputs[0]), "2\n");
    assert.equal(executed.cells[1]?.outputs.length, 1);
    assert.equal(executed.cells[2]?.outputs[0]?.["ename"], "ZeroDivisionError");
    assert.deepEqual(executed.cells[3]?.outputs, []);
    assert.equal(textOf(executed.cells[4]?.outputs[0]), "from a thread\n");
    assert.deepEqual(executed.cells[6]?.outputs, []);
  });

  it("cuts output that is too large, and takes secrets out of outputs and the log", async () => {
    const bench = await openBench();
    const { executed, facts, attempt } = await bench.execute([
      { source: "for i in range(2000):\n    print('x' * 5000)" },
      { source: "print('key AKIA' + 'QYLPMN5HHHFPZAM2')" },
    ]);
    const text = textOf(executed.cells[0]?.outputs[0]);
    assert.ok(text.length < 1_001_000);
    assert.match(text, /9002000 more characters were cut/);
    assert.equal(textOf(executed.cells[1]?.outputs[0]), "key [removed: aws-access-key]\n");
    assert.deepEqual(facts["secretsRemoved"], ["aws-access-key"]);
    assert.ok(!attempt.logged.some(({ text: line }) => line.includes("AKIAQYLPMN5HHHFPZAM2")));
  });

  it("refuses parameters before an environment or a kernel is made", async () => {
    const bench = await openBench();
    const { error } = await bench.execute([{ source: "depth: int = 3", tags: ["parameters"] }], {
      params: { dept: 1 },
      python: "missing.txt",
    });
    assert.ok(isEsteiraError(error, "NOTEBOOKS_PARAMETERS_REFUSED"), String(error));
    assert.match(error.message, /no parameter "dept" \(Did you mean "depth"\?\)/);
  });

  it("says which asset was not written, and what was", async () => {
    const bench = await openBench();
    const { error } = await bench.execute(
      [{ source: "import esteira\n(esteira.output('mode') / 'a').write_text('')" }],
      { makes: "model" },
    );
    assert.ok(isEsteiraError(error, "EXECUTORS_OUTPUT_MISSING"), String(error));
    assert.match(error.hint ?? "", /esteira.output\("made"\) where "mode" is written/);
  });
});
