import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { it } from "node:test";
import { type Log, silentLog } from "#base";
import { getEndpoint, listPredictions } from "#metadata-store/serving";
import { sourceOfRecords } from "#serving";
import { describeStores } from "../setup/stores.ts";
import { deploy, registerModel, startServing } from "./served.ts";

const KEY = { project: "p", environment: "production", endpoint: "delay" };
const SECRET = "Q7-SECRET-ORIGIN";
const KEPT = "gate-B4-is-kept";
const ROW = { distance: 500, hour: 12, origin: SECRET, cpf: "111.444.777-35" };

describeStores("redaction of the prediction log", (kind) => {
  it("writes no value of a redacted input, nor of what else the request says, and the model still gets it", async () => {
    const test = await startServing(kind);
    const version = await registerModel(test, "late-by-columns");
    await deploy(test.serving, version, { environment: "plain" });
    await deploy(test.serving, version, { log: { redact: ["origin", "cpf"] } });
    const known = { distance: 500, hour: 12, origin: "ATL" };
    const [open, closed] = await Promise.all(
      ["plain", "production"].map((environment) =>
        test.serving.endpoints.predict({ ...KEY, environment }, { source: sourceOfRecords([known]) }),
      ),
    );
    assert.deepEqual(closed?.output, open?.output);
    await test.serving.endpoints.predict(KEY, {
      source: sourceOfRecords([{ ...ROW, gate: KEPT }]),
      unknownColumns: "ignore",
    });
    const logged = await test.store.read((transaction) => listPredictions(transaction, { ...KEY, limit: 10 }));
    assert.equal(logged.length, 2);
    for (const { features } of logged) assert.deepEqual(JSON.parse(features), { distance: 500, hour: 12 });
    assert.deepEqual(
      logged.flatMap(({ context }) => (context === undefined ? [] : [JSON.parse(context)])),
      [{ gate: KEPT }],
    );
    if (kind !== "sqlite") return;
    assert.notDeepEqual(await filesWith(test.address, [KEPT]), [], "what is kept is found this way");
    assert.deepEqual(await filesWith(test.address, [SECRET, ROW.cpf]), []);
  });

  it("leaves out the first input and all of them in well-formed rows", async () => {
    const test = await startServing(kind);
    const version = await registerModel(test, "late-by-columns");
    await deploy(test.serving, version, { log: { redact: ["distance"] } });
    const source = sourceOfRecords([{ distance: 500, hour: 12, origin: "ATL" }]);
    await test.serving.endpoints.predict(KEY, { source });
    await deploy(test.serving, version, { log: { redact: ["distance", "hour", "origin"] } });
    await test.serving.endpoints.predict(KEY, { source });
    const logged = await test.store.read((transaction) => listPredictions(transaction, { ...KEY, limit: 10 }));
    assert.deepEqual(logged.map(({ features }) => features).sort(), ['{"hour":12,"origin":"ATL"}', "{}"]);
  });

  it("stays as it is when an earlier release comes back, and ends with a deployment that says otherwise", async () => {
    const test = await startServing(kind);
    const [first, second] = [
      await registerModel(test, "late-by-columns"),
      await registerModel(test, "late-by-columns", { change: {} }),
    ];
    await deploy(test.serving, first);
    await deploy(test.serving, second, { log: { redact: ["origin"] } });
    await deploy(test.serving, first, { isRollback: true });
    const redacted = async (): Promise<unknown> =>
      (await test.store.read((transaction) => getEndpoint(transaction, KEY)))?.options.log?.redact;
    assert.deepEqual(await redacted(), ["origin"]);
    await deploy(test.serving, second);
    assert.equal(await redacted(), undefined);
  });

  it("says of a failing candidate its error's code only, for messages may repeat values", async () => {
    const said: unknown[] = [];
    const log: Log = {
      ...silentLog,
      warn: (_, facts) => void said.push(Object.entries(facts ?? {}).find(([name]) => name === "error")?.[1]),
    };
    const test = await startServing(kind, { log });
    await deploy(test.serving, await registerModel(test, "delay-regression"));
    await deploy(test.serving, await registerModel(test, "late-by-columns"), {
      strategy: { canary: "50%", watch: "30m" },
      log: { redact: ["distance"] },
    });
    const rows = Array.from({ length: 40 }, () => ({ distance: 500, hour: 12 }));
    await test.serving.endpoints.predict(KEY, {
      source: sourceOfRecords(rows),
      entityKeys: rows.map((_, row) => `key-${row}`),
    });
    assert.ok(said.length > 0);
    for (const each of said) assert.match(String(each), /^[A-Z_]+$/);
  });
});

/** Which of some texts the files of a SQLite store hold. */
async function filesWith(address: string, texts: readonly string[]): Promise<readonly string[]> {
  const folder = dirname(address.replace(/^sqlite:(\/\/)?/, ""));
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(`${entry.parentPath}/${entry.name}`);
    for (const text of texts) if (bytes.includes(text)) found.push(`${entry.name}: ${text}`);
  }
  return found;
}
