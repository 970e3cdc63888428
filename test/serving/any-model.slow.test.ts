// Models as people leave them, of several libraries: trained by a step, deployed, asked, scored, each by itself.
import assert from "node:assert/strict";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { testEnvironments } from "../setup/attempt.ts";
import { testCache } from "../setup/cache-folder.ts";
import { listProcessesOf, runEsteira } from "../setup/command-line.ts";
import { runPython } from "../setup/mlflow-client.ts";
import { MODEL_PACKAGES } from "../setup/python-models.ts";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";
import { MODEL_KINDS, type ModelKindCase, TORCH_KINDS } from "./model-kinds.ts";

const ROOT = join(import.meta.dirname, "../..");
const PACKAGES = [
  ...MODEL_PACKAGES,
  "pyarrow",
  "xgboost-cpu==3.2.0",
  "lightgbm==4.7.0",
  "statsmodels==0.15.0",
  "catboost==1.2.10",
];
const TORCH = process.env["ESTEIRA_TEST_TORCH"];
/** Of one kind on a machine that others use too; the first one makes the environment of all. */
const LIMIT = { timeout: 20 * 60_000 };
const ROWS = [
  { distance: 100.5, origin: "GRU" },
  { distance: 700.5, origin: "JFK" },
];

function filesOf(kinds: readonly ModelKindCase[]): Readonly<Record<string, string>> {
  const rows = Array.from(
    { length: 80 },
    (_, i) => `${i},${i * 10}.5,${i % 2 === 0 ? "GRU" : "JFK"},${i > 35 ? 1 : 0}`,
  );
  return {
    "esteira.yaml": "name: p\nenvironments: { production: {} }\n",
    "requirements.txt": [...PACKAGES, ...(TORCH === undefined ? [] : [TORCH])].join("\n"),
    "src/parts/__init__.py": "",
    "src/parts/own.py": `import mlflow.pyfunc
from parts.factor import times
class Own(mlflow.pyfunc.PythonModel):
    def __init__(self, by): self.by = by
    def predict(self, context, model_input, params=None): return times(model_input["distance"].to_numpy(), self.by)
`,
    "src/parts/factor.py": "def times(values, by): return values * by\n",
    "rows.csv": `id,distance,origin,late\n${rows.join("\n")}\n`,
    "pipelines/rows.yaml": "steps:\n  rows: { capture: { files: rows.csv } }\n",
    "pipelines/nothing.yaml":
      "steps:\n  nothing: { python: src/nothing.py, requirements: requirements.txt, makes: model }\n",
    "src/nothing.py": 'import esteira\nesteira.input("rows")\nprint("no model")\n',
    ...Object.fromEntries(
      kinds.flatMap(({ name, script }) => [
        [`src/${name}.py`, script],
        [
          `pipelines/${name}.yaml`,
          `steps:
  ${name}: { python: src/${name}.py, requirements: requirements.txt, makes: model }
  live_${name}: { deploy: ${name}, to: production }
  ${name}_scores: { score: ${name}, data: rows, key: id }
`,
        ],
      ]),
    ),
  };
}

/** Loads a registered version as anybody would, in an environment of its own requirements. */
const LOAD = `
import json, sys
import mlflow.pyfunc, pandas as pd
rows = pd.DataFrame(json.loads(sys.argv[1]))
model = mlflow.pyfunc.load_model(f"models:/{sys.argv[2]}/1")
schema = model.metadata.get_input_schema()
frame = rows[schema.input_names()].astype({column.name: "float32" for column in schema.inputs if column.type.name == "float"})
raw = model.get_raw_model() if "python_model" not in str(model.metadata.flavors) else None
answer = raw.predict_proba(frame)[:, 1] if hasattr(raw, "predict_proba") else pd.DataFrame(model.predict(frame)).iloc[:, 0]
print(json.dumps([float(value) for value in answer]))
`;

describe("a model that a step left", async () => {
  const kinds = [...MODEL_KINDS, ...(TORCH === undefined ? [] : TORCH_KINDS)];
  const folder = await temporaryFolder();
  for (const [path, text] of Object.entries(filesOf(kinds))) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  // Environments take minutes to make: those of the tests are kept in the user's cache.
  await mkdir(join(folder, ".esteira"), { mode: 0o700 });
  await mkdir(join(testCache(), "test-environments", "python"), { recursive: true });
  await symlink(join(testCache(), "test-environments", "python"), join(folder, ".esteira", "python"));
  const run = async (name: string): Promise<{ readonly code: number | null; readonly said: string }> => {
    const { code, stdout, stderr } = await runEsteira(folder, ["run", name]);
    return { code, said: stdout + stderr };
  };
  const rows = await run("rows");
  assert.equal(rows.code, 0, rows.said);
  const server = await startServer(folder);
  after(() => server.stop());
  const ask = (name: string, records: readonly object[]): Promise<Response> =>
    fetch(`${server.url}/endpoints/production/${name}/invocations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ dataframe_records: records }),
    });

  /** The server follows what another process deployed. */
  async function askWhenDeployed(name: string, records: readonly object[]): Promise<string> {
    for (;;) {
      const answer = await ask(name, records);
      const body = await answer.text();
      if (answer.status === 200) return body;
      assert.ok(answer.status === 404 || answer.status === 503, `${name}: ${answer.status} ${body}`);
      await pause(200);
    }
  }

  for (const { name, says, columns, expected } of kinds)
    it(`answers as its library does, at its endpoint and for a dataset: ${says}`, LIMIT, async () => {
      const { code, said } = await run(name);
      assert.equal(code, 0, said);
      const records = ROWS.map((row) =>
        Object.fromEntries(Object.entries(row).filter(([key]) => columns.includes(key))),
      );
      const body = await askWhenDeployed(name, records);
      const { predictions } = JSON.parse(body) as { predictions: (number | { probability: number })[] };
      const values = predictions.map((value) => (typeof value === "number" ? value : value.probability));
      const { python } = await testEnvironments.prepare({
        requirements: filesOf([])["requirements.txt"] ?? "",
        requirementsFile: "requirements.txt",
      });
      const loaded = await runPython(python, LOAD, {
        arguments: [JSON.stringify(ROWS), name],
        environment: { MLFLOW_TRACKING_URI: server.url },
      });
      const elsewhere = JSON.parse(loaded.split("\n").at(-1) ?? "") as number[];
      for (const [row, value] of values.entries())
        assert.ok(
          Math.abs(value - (elsewhere[row] ?? NaN)) < 1e-6,
          `${name} ${row}: ${value}, elsewhere ${elsewhere[row]}`,
        );
      for (const [row, value] of (expected ?? []).entries())
        assert.ok(Math.abs((values[row] ?? NaN) - value) < 1e-3, `${name} ${row}: ${values[row]}, expected ${value}`);
      const scored = await fetch(`${server.url}/api/v1/datasets/${name}_scores/rows?limit=200`);
      assert.equal(((await scored.json()) as { rows: unknown[] }).rows.length, 80);
    });

  it("is refused by name where the step left none", LIMIT, async () => {
    const { code, said } = await run("nothing");
    assert.equal(code, 1, said);
    assert.match(said, /left none: its output folder is empty, and its MLflow run logged no model/);
  });

  it("refuses what its signature does not take, in words, and takes columns in any order", LIMIT, async () => {
    const refused: readonly [object, RegExp][] = [
      [{ distance: 1 }, /Row 0 has no column .*origin/],
      [{ distance: "far", origin: "GRU" }, /distance.*row 0.*far/],
      [{ distance: 1, origin: 7 }, /origin.*row 0.*7/],
      [{ distance: 1, origin: null }, /origin.*row 0.*null/],
      [{ distance: 1, origin: "São Paulo ✈" }, /São Paulo ✈/],
    ];
    for (const [record, says] of refused) {
      const answer = await ask("sklearn_saved", [record]);
      const text = await answer.text();
      assert.ok(answer.status >= 400 && answer.status < 500, `${JSON.stringify(record)}: ${answer.status} ${text}`);
      assert.match(text, says);
    }
    const [one, other] = await Promise.all([
      ask("sklearn_saved", [{ distance: 100.5, origin: "GRU" }]),
      ask("sklearn_saved", [{ origin: "GRU", distance: 100.5 }]),
    ]);
    const values = (await Promise.all([one.json(), other.json()])) as { predictions: unknown }[];
    assert.deepEqual(values[0]?.predictions, values[1]?.predictions);
    const many = await ask(
      "sklearn_saved",
      Array.from({ length: 10_000 }, (_, i) => ({ distance: i, origin: "JFK" })),
    );
    assert.equal(((await many.json()) as { predictions: unknown[] }).predictions.length, 10_000);
  });

  it("scores a file with it on the command line, as its endpoint does", LIMIT, async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => `${i},${i}.25,${i % 2 === 0 ? "GRU" : "JFK"}`);
    await writeFile(join(folder, "today.csv"), `id,distance,origin\n${rows.join("\n")}\n`);
    const words = ["model", "score", "sklearn_saved", "--data", "today.csv", "--key", "id"];
    const { code, stdout, stderr } = await runEsteira(folder, [...words, "--json"]);
    assert.equal(code, 0, stderr);
    const scored = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string; prediction: number });
    assert.deepEqual([scored.length, scored[2999]?.id], [3000, "2999"]);
    const asked = await ask("sklearn_saved", [{ distance: 7.25, origin: "JFK" }]);
    const { predictions } = (await asked.json()) as { predictions: number[] };
    assert.ok(Math.abs((predictions[0] ?? NaN) - (scored[7]?.prediction ?? NaN)) < 1e-12);
  });

  it("answers every request while its process is killed again and again", LIMIT, async () => {
    const pids = async (): Promise<readonly string[]> =>
      (await listProcessesOf(join(folder, ".esteira", "cache", "models")))
        .filter((line) => line.includes("_serve.py") && !line.includes("bwrap"))
        .flatMap((line) => line.split(" ")[0] ?? []);
    const until = Date.now() + 20_000;
    let killed = 0;
    let answered = 0;
    const killing = (async () => {
      while (Date.now() < until) {
        await pause(3000);
        for (const pid of await pids()) {
          process.kill(Number(pid), "SIGKILL");
          killed++;
        }
        // One that is killed three times while it loads is said to be unusable, and rightly: it must come up between.
        const before = answered;
        while (answered === before && Date.now() < until + 60_000) await pause(100);
      }
    })();
    const statuses = new Map<number, number>();
    const client = async (): Promise<void> => {
      while (Date.now() < until) {
        const answer = await ask("sklearn_saved", [{ distance: 7.25, origin: "JFK" }]);
        await answer.text();
        answered++;
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      }
    };
    await Promise.all([killing, ...Array.from({ length: 8 }, client)]);
    assert.deepEqual([...statuses.keys()], [200]);
    assert.ok(killed > 0, "no process of a model was found");
  });

  it("is exported with the digests of its packages, and takes the runtime of a graph along", LIMIT, async () => {
    const to = join(folder, "saved.tar");
    const { code, stdout, stderr } = await runEsteira(folder, ["model", "export", "sklearn_saved", "--to", to]);
    assert.equal(code, 0, stderr + stdout);
    const archive = (await readFile(to)).toString("latin1");
    assert.match(archive, /scikit-learn==1\.9\.1  # sha256:[0-9a-f]{64} on linux/);
    const package_ = JSON.parse(
      await readFile(join(ROOT, "node_modules/onnxruntime-node/package.json"), "utf8"),
    ) as object;
    const saving = await readFile(join(ROOT, "python/esteira/_model.py"), "utf8");
    assert.ok(saving.includes(`ONNXRUNTIME = "${"version" in package_ ? String(package_.version) : ""}"`));
  });
});
