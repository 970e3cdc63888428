import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { it } from "node:test";
import { type DatasetContent, readContract, replayQuarantine } from "#data";
import { describeStores } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const KEY = "a key of more than sixteen characters '; --";

interface Property {
  readonly name: string;
  readonly type?: string;
  readonly options?: object;
  readonly treatment?: object;
}

const contractOf = (properties: readonly Property[]): string =>
  JSON.stringify({
    apiVersion: "v3.1.0",
    kind: "DataContract",
    id: "c",
    version: "1",
    status: "active",
    schema: [
      {
        name: "d",
        properties: properties.map(({ name, type = "string", options, treatment }) => ({
          name,
          logicalType: type,
          ...(options === undefined ? {} : { logicalTypeOptions: options }),
          ...(treatment === undefined ? {} : { customProperties: [{ property: "treatment", value: treatment }] }),
        })),
      },
    ],
  });

const secret = (name: string): string | undefined => ({ PERSON_KEY: KEY, SHORT: "123" })[name];
const DECLARED = { capture: { files: "*.csv" }, contract: "c.yaml" };

describeStores("treatments", (kind) => {
  it("change values in their order, and count what they changed", async () => {
    const project = await openDataProject(kind, { secret });
    await project.write(
      "c.yaml",
      contractOf([
        { name: "name", treatment: { trim: true, missing: ["n/a"], case: "upper", default: "UNKNOWN" } },
        {
          name: "lb",
          type: "number",
          treatment: { trim: true, unit: { from: "lb", to: "kg" }, outliers: { low: 0, high: 100, action: "clip" } },
        },
        { name: "f", type: "number", treatment: { unit: { from: "F", to: "C" } } },
        { name: "age", type: "integer", treatment: { outliers: { low: 0, high: 120, action: "missing" } } },
        { name: "card", treatment: { keep: "digits", mask: { first: 0, last: 4 } } },
        { name: "cpf", options: { pattern: "^[0-9]{11}$" }, treatment: { keep: "digits", hash: "PERSON_KEY" } },
      ]),
    );
    await project.write(
      "a.csv",
      'name,lb,f,age,card,cpf\n" Ana\u00a0", 10 ,212,30,4111-1111-1111-1111,529.982.247-25\nn/a,1000,32,999,12,52998224725\n,,,,,\n',
    );
    const { versions } = await project.runCapture(DECLARED);
    const hash = createHmac("sha256", KEY).update("52998224725").digest("hex");
    assert.deepEqual(
      await project.rows(versions[0], "select name, round(lb, 6) as lb, round(f, 9) as f, age, card, cpf from d"),
      [
        // 10 lb = 4.5359237 kg and 212 °F = 100 °C: NIST SP 811.
        { name: "ANA", lb: 4.535924, f: 100, age: 30, card: "************1111", cpf: hash },
        { name: "UNKNOWN", lb: 100, f: 0, age: null, card: "**", cpf: hash },
        { name: "UNKNOWN", lb: null, f: null, age: null, card: null, cpf: null },
      ],
    );
    assert.ok(versions[0]);
    const { treated } = versions[0].content as DatasetContent;
    assert.deepEqual(treated, {
      "name: trim": 1,
      "name: missing": 1,
      "name: case": 1,
      "name: default": 2,
      "lb: trim": 1,
      "lb: unit": 2,
      "lb: outliers": 1,
      "f: unit": 2,
      "age: outliers": 1,
      "card: keep": 1,
      "card: mask": 2,
      "cpf: keep": 1,
      "cpf: hash": 2,
    });
    assert.ok(project.logged.includes("cpf: hash: 2 values changed"));
  });

  it("hold for replayed rows and for files that are read together, and say no protected value", async () => {
    const project = await openDataProject(kind, { secret });
    const contract = (pattern: string): string =>
      contractOf([
        { name: "id", type: "integer" },
        { name: "cpf", options: { pattern }, treatment: { trim: true, hash: "PERSON_KEY" } },
      ]);
    await project.write("c.yaml", contract("^[0-9]{3}$"));
    await project.write("a.csv", "id,cpf\n1,123\n2,9999\n");
    await project.runCapture(DECLARED);
    await project.write("b.csv", "id,cpf\n3, 123\n");
    await project.write("e.csv", "id,cpf\n4,123 \n");
    const { versions } = await project.runCapture(DECLARED);
    assert.ok(versions[0]);
    assert.deepEqual((versions[0].content as DatasetContent).treated, { "cpf: trim": 2, "cpf: hash": 2 });
    assert.deepEqual(
      await project.rows(versions[0], "select count(distinct cpf)::int as n, count(*)::int as rows from d"),
      [{ n: 1, rows: 3 }],
    );
    // A column that a file does not have gets its default, too.
    await project.write(
      "c.yaml",
      contractOf([
        { name: "id", type: "integer" },
        { name: "cpf", treatment: { default: "none", mask: { first: 4, last: 0 } } },
      ]),
    );
    await project.write("f.csv", "id\n5\n");
    const later = await project.runCapture(DECLARED);
    assert.deepEqual(await project.rows(later.versions[0], "select cpf from d where id = 5"), [{ cpf: "****" }]);
    const [batch] = await project.batches();
    assert.ok(batch);
    const [held] = await project.held(batch);
    assert.deepEqual(held?.["messages"], ["cpf is a protected value: must match ^[0-9]{3}$"]);
    assert.ok(!project.logged.join("\n").includes("9999"));
    const text = contract("^[0-9]+$");
    const replay = { batchId: batch.id, actor: "me", contract: { path: "c.yaml", text } };
    await assert.rejects(replayQuarantine(project, replay), { code: "DATA_TREATMENT_SECRET_UNFIT" });
    const { version } = await replayQuarantine({ ...project, secret }, replay);
    assert.deepEqual(await project.rows(version, "select cpf from d where id = 2"), [
      { cpf: createHmac("sha256", KEY).update("9999").digest("hex") },
    ]);
  });

  it("need a secret that is there and long, and name what they do not know", async () => {
    const project = await openDataProject(kind, { secret });
    await project.write("a.csv", "cpf\n1\n");
    for (const [name, problem] of [
      ["NONE", /is not set/],
      ["SHORT", /has 3 characters, at least 16/],
    ] as const) {
      await project.write("c.yaml", contractOf([{ name: "cpf", treatment: { hash: name } }]));
      await assert.rejects(project.runCapture(DECLARED), problem);
    }
    const problems = (property: Property): string =>
      readContract(contractOf([property]), "c.yaml")
        .problems.map(({ message, hint }) => `${message} ${hint ?? ""}`)
        .join("\n");
    assert.match(problems({ name: "a", treatment: { trimm: true } }), /no treatment "trimm" Did you mean "trim"/);
    assert.match(problems({ name: "a", treatment: { trim: "yes" } }), /is not understood/);
    assert.match(
      problems({ name: "a", type: "integer", treatment: { hash: "K" } }),
      /hash is for texts, and the column is BIGINT/,
    );
    assert.match(problems({ name: "a", treatment: { hash: "K", mask: {} } }), /not both/);
    assert.match(problems({ name: "a", treatment: { hash: "it's; --" } }), /name of a secret/);
    assert.match(
      problems({ name: "a", type: "number", treatment: { unit: { from: "lb", to: "km" } } }),
      /cannot be converted/,
    );
    assert.match(
      problems({ name: "a", type: "number", treatment: { outliers: { low: 2, high: 1, action: "clip" } } }),
      /low below high/,
    );
    assert.match(problems({ name: "a", treatment: { scale: { add: 1 } } }), /numbers with a fraction/);
    assert.equal(problems({ name: "a", treatment: { missing: ["it's"], default: "o'k" } }), "");
  });

  it("convert temperatures without losing digits", async () => {
    const project = await openDataProject(kind);
    await project.write(
      "c.yaml",
      contractOf([{ name: "f", type: "number", treatment: { unit: { from: "F", to: "C" } } }]),
    );
    await project.write("a.csv", "f\n39.02\n-40\n");
    const { versions } = await project.runCapture(DECLARED);
    const rows = await project.rows(
      versions[0],
      "select abs(f - (case when f > 0 then 3.9 else -40 end)) < 4e-15 as exact from d",
    );
    assert.deepEqual(rows, [{ exact: true }, { exact: true }]);
  });
});
