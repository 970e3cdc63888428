import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { openStorePlatform, type StorePlatform } from "#app";
import { silentLog, systemClock } from "#base";
import { loadProjectConfig, readSettings } from "#config";
import { getAssetVersion } from "#metadata-store";
import {
  createModelVersion,
  createRegisteredModel,
  getModelVersion,
  setRegisteredModelAlias,
} from "#metadata-store/registry";
import { readModelContent } from "#models";
import { parseRegisteredAddress } from "../../src/models/registered-model.ts";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const ML_MODEL = `flavors:
  python_function: { loader_module: mlflow.sklearn, model_path: model.pkl }
signature:
  inputs: '[{"type": "double", "name": "distance", "required": true}]'
  outputs: '[{"type": "long", "required": true}]'
`;

describe("the address of a registered version", () => {
  it("is what MLflow's clients write", () => {
    for (const [text, expected] of [
      ["models:/delay/3", { name: "delay", target: "delay/3" }],
      ["models:/delay@candidate", { name: "delay", target: "delay@candidate" }],
      ["models:/delay/latest", { name: "delay", target: "delay/latest" }],
      ["models:/atraso de voo/12", { name: "atraso de voo", target: "atraso de voo/12" }],
      ["models:/m", undefined],
      ["models:/delay/", undefined],
      ["models:/delay/x", undefined],
      ["models:/../etc/1", undefined],
      ["runs:/1/model", undefined],
      ["delay", undefined],
    ] as const)
      assert.deepEqual(parseRegisteredAddress(text), expected, text);
  });
});

async function open(step: string): Promise<{
  readonly folder: string;
  readonly platform: StorePlatform;
  readonly run: () => Promise<{ readonly code: number | null; readonly said: string }>;
  register(facts: { readonly weights: string; readonly source?: string; readonly project?: string }): Promise<void>;
}> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: p\n");
  await writeFile(join(folder, "pipelines/taken.yaml"), `steps:\n  taken: ${step}\n`);
  const platform = await openStorePlatform({
    config: await loadProjectConfig(folder),
    isProject: true,
    settings: readSettings({}),
    log: silentLog,
  });
  after(() => platform.close());
  let made = 0;
  return {
    folder,
    platform,
    async run() {
      const { code, stdout, stderr } = await runEsteira(folder, ["run", "taken"]);
      return { code, said: stdout + stderr };
    },
    async register({ weights, source, project = "p" }) {
      const location = source ?? `mlflow-artifacts:/0/models/m-${++made}/artifacts`;
      if (source === undefined)
        for (const [path, text] of [
          ["MLmodel", ML_MODEL],
          ["model.pkl", weights],
          ["code/own.py", "x = 1\n"],
        ] as const) {
          const { folder: artifacts, path: place } = platform.artifacts.at(location, path);
          await artifacts.write(
            place,
            (async function* () {
              yield Buffer.from(text);
            })(),
          );
        }
      const facts = { name: "flights", atMs: systemClock.now(), actor: "ana" };
      await platform.store.write(async (tx) => {
        await createRegisteredModel(tx, { ...facts, project, whenExists: "keep" });
        const { version } = await createModelVersion(tx, { ...facts, source: location, tags: [] });
        await setRegisteredModelAlias(tx, { ...facts, alias: "candidate", version });
      });
    },
  };
}

describe("a step that adopts a registered model", () => {
  const STEP = '{ adopt: "models:/flights@candidate", task: binary_classification, label: late }';

  it("takes the files that its alias names, once, and says whence; another version when the alias moves", async () => {
    const { platform, run, register } = await open(STEP);
    await register({ weights: "one" });
    const first = await run();
    assert.equal(first.code, 0, first.said);
    const { store } = platform;
    const latest = async () => store.read((tx) => getAssetVersion(tx, { project: "p", asset: "taken" }));
    const version = await latest();
    assert.ok(version !== undefined);
    const { model, tree, record } = readModelContent(version);
    assert.deepEqual([model.task, model.label, model.runtime], ["binary_classification", "late", "python"]);
    assert.deepEqual(model.inputs, [{ name: "distance", type: "float" }]);
    assert.deepEqual(tree.files.map(({ path }) => path).sort(), ["MLmodel", "code/own.py", "model.pkl"]);
    assert.deepEqual(record.source["adopted"], { name: "flights", version: 1 });
    const registered = await store.read((tx) => getModelVersion(tx, { name: "taken", version: 1 }));
    assert.equal(registered.tags.find(({ key }) => key === "esteira.adopted")?.value, "flights 1");
    assert.match((await run()).said, /reused|cached/);
    await register({ weights: "two" });
    assert.equal((await run()).code, 0);
    assert.equal((await latest())?.version, 2);
    await register({ weights: "two" });
    assert.equal((await run()).code, 0);
    assert.equal((await latest())?.version, 2);
  });

  it("says what is not registered, or not here, or another project's", async () => {
    const { run, register } = await open(STEP);
    const missing = await run();
    assert.equal(missing.code, 1);
    assert.match(missing.said, /models:\/flights@candidate is no registered version of the project "p"/);
    await register({ weights: "", source: "s3://elsewhere/model" });
    assert.match((await run()).said, /cannot be read at s3:\/\/elsewhere\/model/);
    const foreign = await open(STEP);
    await foreign.register({ weights: "one", project: "q" });
    assert.match((await foreign.run()).said, /no registered version of the project "p"/);
  });

  it("is refused where the address is none", async () => {
    const { run } = await open("{ adopt: flights }");
    const { code, said } = await run();
    assert.equal(code, 1);
    assert.match(said, /taken\.yaml:2.*"flights" is no address of a registered version/s);
  });
});
