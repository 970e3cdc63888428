import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it, type TestContext } from "node:test";
import { createGuideReader, type GuideReader, readGuide } from "../setup/guide-reader.ts";
import { MLFLOW_CLIENTS, mlflowPython } from "../setup/mlflow-client.ts";
import { testPython } from "../setup/python-environment.ts";

const isThere = (tool: string): boolean => spawnSync(tool, ["--version"]).error === undefined;

describe("a reader who follows the guides, with users in the store and access.loopback none", () => {
  let python: Awaited<ReturnType<typeof testPython>>;
  let reader: GuideReader;

  before(async () => {
    python = await testPython(["deltalake", "pyarrow", "pandas", "duckdb"]);
    reader = await createGuideReader("python" in python ? python : {});
  });
  after(() => reader.leave());

  it("reaches the end of first-project.md", () => reader.follow("first-project.md"));

  it("reaches the end of data-and-contracts.md, in the same project", async (t) => {
    if ("problem" in python) return t.skip(python.problem);
    await reader.follow("data-and-contracts.md");
  });

  it("reaches the end of sources.md, in the same project", () => reader.follow("sources.md"));

  it("reaches the end of sql-models.md, in the same project", () => reader.follow("sql-models.md"));
});

it("a reader of parts.md reaches its end", async (t) => {
  const reader = await createGuideReader({});
  t.after(() => reader.leave());
  await reader.follow("parts.md");
});

it("a reader of partitions.md reaches its end", async (t) => {
  const reader = await createGuideReader({});
  t.after(() => reader.leave());
  await reader.follow("partitions.md");
});

/** A reader for one test, who leaves at its end. */
async function startReading(
  t: TestContext,
  options: Parameters<typeof createGuideReader>[0] = {},
): Promise<GuideReader> {
  const reader = await createGuideReader(options);
  t.after(() => reader.leave());
  return reader;
}

describe("a reader who starts from an empty folder", () => {
  it("reaches the end of mlflow.md", async (t) => {
    const reader = await startReading(t, { python: await mlflowPython(MLFLOW_CLIENTS[0]), hasUser: false });
    await reader.follow("mlflow.md");
  });

  it("reaches the end of code-pipelines.md", async (t) => {
    const reader = await startReading(t);
    await reader.follow("code-pipelines.md");
  });

  it("reaches the end of operating.md", async (t) => {
    const reader = await startReading(t, { hasUser: false });
    await reader.follow("operating.md");
  });

  it(
    "reaches the end of running-a-server.md",
    { skip: ["sqlite3", "rsync"].some((tool) => !isThere(tool)) && "sqlite3 or rsync is not installed" },
    async (t) => {
      const reader = await startReading(t, { hasUser: false });
      await reader.follow("running-a-server.md");
    },
  );
});

it("a reader is told of every block that is not run, and why", () => {
  const marked =
    "Text:\n\n<!-- not run: shows an error -->\n```text\n$ false\n```\n\n`a/b.sql` is:\n\n```sql\nSELECT 1\n```\n\n```text\n$ echo one \\\n    two\nout\n$ false # exit code 1\n```\n\n```yaml\n# p.yaml, further steps\n  b: {}\n```\n";
  assert.deepEqual(readGuide(marked), [
    { kind: "write", path: "a/b.sql", content: "SELECT 1\n", isAdded: false },
    { kind: "run", command: "echo one \\\n    two", exitCode: 0, shown: "out\n" },
    { kind: "run", command: "false # exit code 1", exitCode: 1, shown: "\n" },
    { kind: "write", path: "p.yaml", content: "# p.yaml, further steps\n  b: {}\n", isAdded: true },
  ]);
  assert.throws(() => readGuide("Nothing is named.\n\n```sql\nSELECT 1\n```\n"), /of no file/);
});
