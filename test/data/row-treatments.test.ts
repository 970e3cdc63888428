import assert from "node:assert/strict";
import { it } from "node:test";
import { type DatasetContent, readContract, replayQuarantine } from "#data";
import { describeStores } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const KEY = "a key of more than sixteen characters '; --";
const secret = (name: string): string | undefined => ({ PERSON_KEY: KEY })[name];
const DECLARED = { capture: { files: "*.csv" }, contract: "c.yaml" };

type Property = readonly [name: string, type: string, treatment?: object | undefined, options?: object];

function contractOf(properties: readonly Property[], treatment?: unknown): string {
  const custom = (value: unknown): object =>
    value === undefined ? {} : { customProperties: [{ property: "treatment", value }] };
  return JSON.stringify({
    apiVersion: "v3.1.0",
    kind: "DataContract",
    id: "c",
    version: "1",
    status: "active",
    schema: [
      {
        name: "d",
        ...custom(treatment),
        properties: properties.map(([name, logicalType, own, more]) => ({
          name,
          logicalType,
          ...custom(own),
          ...more,
        })),
      },
    ],
  });
}

const contentOf = (version: { readonly content: object } | undefined): DatasetContent => {
  assert.ok(version);
  return version.content as DatasetContent;
};

const problemsOf = (text: string): string =>
  readContract(text, "c.yaml")
    .problems.map(({ message, hint }) => `${message} ${hint ?? ""}`)
    .join("\n");

describeStores("duplicate rows", (kind) => {
  const columns: readonly Property[] = [
    ["id", "integer"],
    ["seq", "integer"],
    ["v", "string", { trim: true }, { logicalTypeOptions: { pattern: "^[a-z]$" } }],
  ];

  it("are left out by their columns, the last by order kept, and a changed file still takes its own rows out", async () => {
    const project = await openDataProject(kind);
    await project.write("c.yaml", contractOf(columns, { deduplicate: { by: ["id"], order: "seq" } }));
    // Row 2 of a.csv breaks a rule: it is no reason to leave the good one out, though it is newer.
    await project.write("a.csv", "id,seq,v\n1,1,a\n1,3,b\n2,9,BAD\n2,1,c\n,1,d\n,1,d\n");
    await project.write("b.csv", "id,seq,v\n1,2,e\n3,,f\n3,1, g\n4,1,h\n4,1,i\n");
    const { outcome, versions } = await project.runCapture(DECLARED);
    assert.equal(outcome.facts?.["duplicates"], 4);
    const rows = "select id::int as id, seq::int as seq, v from d order by id nulls last, seq";
    assert.deepEqual(await project.rows(versions[0], rows), [
      { id: 1, seq: 3, v: "b" },
      { id: 2, seq: 1, v: "c" },
      // Of equal rank the later one; no value of `order` is the least; nobody knows whose row has no key.
      { id: 3, seq: 1, v: "g" },
      { id: 4, seq: 1, v: "i" },
      { id: null, seq: 1, v: "d" },
      { id: null, seq: 1, v: "d" },
    ]);
    const content = contentOf(versions[0]);
    assert.deepEqual(content.quarantine, {
      read: 11,
      published: 6,
      quarantined: 1,
      duplicates: 4,
      rules: { "pattern:v": 1 },
    });
    assert.equal(content.treated?.["id: deduplicate"], 4);
    assert.deepEqual(
      content.captured?.map(({ path, rows: count }) => [path, count]),
      [
        ["a.csv", 4],
        ["b.csv", 2],
      ],
    );
    assert.ok(
      project.logged.some((line) =>
        line.includes("b.csv: 5 rows read, 2 published, 0 in quarantine, 3 duplicates left out"),
      ),
    );
    await project.write("a.csv", "id,seq,v\n7,1,z\n7,1,y\n");
    const later = await project.runCapture({ ...DECLARED, capture: { files: "*.csv" } });
    assert.deepEqual(await project.rows(later.versions[0], "select id::int as id, v from d order by id"), [
      { id: 3, v: "g" },
      { id: 4, v: "i" },
      { id: 7, v: "y" },
    ]);
  });

  it("are told by whole rows, the first kept, also where files have other columns", async () => {
    const project = await openDataProject(kind);
    await project.write("c.yaml", contractOf(columns, { deduplicate: { keep: "first" } }));
    await project.write("a.csv", "id,seq,v\n1,1,a\n1,1, a\n1,1,b\n");
    await project.write("b.csv", "id,seq,v,more\n1,1,a,\n1,1,a,x\n");
    const { versions } = await project.runCapture(DECLARED);
    assert.deepEqual(await project.rows(versions[0], "select v, more from d order by v, more nulls first"), [
      { v: "a", more: null },
      { v: "a", more: "x" },
      { v: "b", more: null },
    ]);
    assert.equal(contentOf(versions[0]).treated?.["*: deduplicate"], 2);
    await project.write("c.yaml", contractOf(columns, { deduplicate: true }));
    await project.write("e.csv", "id,seq,v\n1,1,k\n1,1,k\n");
    const later = await project.runCapture(DECLARED);
    assert.equal(contentOf(later.versions[0]).treated?.["*: deduplicate"], 1);
  });

  it("are only those, of many rows in several files", async () => {
    const project = await openDataProject(kind);
    await project.write(
      "c.yaml",
      contractOf(
        [
          ["id", "integer"],
          ["n", "integer"],
        ],
        { deduplicate: { by: "id", keep: "first" } },
      ),
    );
    for (const [file, first] of [
      ["a.csv", 0],
      ["b.csv", 60_000],
      ["e.csv", 120_000],
    ] as const) {
      const lines = Array.from({ length: 60_000 }, (_, index) => {
        const id = first + index;
        return id % 97 === 0 ? `${id},1\n${id},2\n` : `${id},1\n`;
      });
      await project.write(file, `id,n\n${lines.join("")}`);
    }
    const { versions } = await project.runCapture(DECLARED);
    assert.deepEqual(
      await project.rows(
        versions[0],
        "select count(*)::int as n, count(distinct id)::int as ids, max(n)::int as last from d",
      ),
      [{ n: 180_000, ids: 180_000, last: 1 }],
    );
    assert.equal(contentOf(versions[0]).treated?.["id: deduplicate"], Math.ceil(180_000 / 97));
  });

  it("and rows that are held are not among those that a warning says are published", async () => {
    const project = await openDataProject(kind);
    const warning = { type: "custom", engine: "esteira", implementation: "n < 5", severity: "warning", id: "small" };
    await project.write(
      "c.yaml",
      contractOf(
        [
          ["id", "integer", undefined, { required: true }],
          ["n", "integer", undefined, { quality: [warning] }],
        ],
        { deduplicate: { by: "id" } },
      ),
    );
    await project.write("a.csv", "id,n\n1,9\n1,8\n2,7\n,6\n3,1\n");
    await project.runCapture(DECLARED);
    assert.ok(project.logged.includes("warning: 2 rows break small and are published"), project.logged.join("\n"));
  });

  it("are left out of what an attempt says that finds the version made", async () => {
    const project = await openDataProject(kind);
    await project.write("c.yaml", contractOf(columns, { deduplicate: { by: "id" } }));
    await project.write("a.csv", "id,seq,v\n1,1,a\n1,1,b\n2,1,BAD\n");
    const first = await project.attempt(project.capture, DECLARED, "s1");
    const again = await project.attempt(project.capture, DECLARED, "s1");
    assert.deepEqual(again.facts, first.facts);
    assert.deepEqual(
      [again.facts?.["published"], again.facts?.["quarantined"], again.facts?.["duplicates"]],
      [1, 1, 1],
    );
    assert.deepEqual(again.made[0]?.digest, first.made[0]?.digest);
  });

  it("need columns that the contract has", () => {
    const problems = (treatment: unknown): string => problemsOf(contractOf(columns, treatment));
    assert.match(problems({ deduplicate: { by: ["idd"] } }), /has no property "idd" Did you mean "id"/);
    assert.match(problems({ deduplicate: { by: [] } }), /not understood/);
    assert.match(problems({ deduplicate: { by: "id", order: "when" } }), /no property "when"/);
    assert.match(problems({ dedupe: true }), /not understood.*deduplicate: \{ by/);
    assert.equal(problems({ deduplicate: { by: "id" } }), "");
  });
});

describeStores("outliers that follow from the values", (kind) => {
  // 1 … 40 and two far ones. Bounds by NumPy 2.2 (percentile, median) and statsmodels' mad of the same 42 values.
  const VALUES = [...Array.from({ length: 40 }, (_, index) => index + 1), 500, -300];
  const csv = `id,v\n${VALUES.map((value, index) => `${index},${value}`).join("\n")}\n`;
  const capture = async (treatment: object, text = csv, type = "integer") => {
    const project = await openDataProject(kind);
    await project.write(
      "c.yaml",
      contractOf([
        ["id", "integer"],
        ["v", type, { outliers: treatment }],
      ]),
    );
    await project.write("a.csv", text);
    const { versions } = await project.runCapture(DECLARED);
    return { project, version: versions[0] };
  };

  it("are clipped to the bounds of quartiles, and the bounds are told", async () => {
    const { project, version } = await capture({ method: "iqr", action: "clip" });
    // Quartiles 10.25 and 30.75: fences at -20.5 and 61.5; whole numbers within.
    const found = contentOf(version).bounds?.["v"];
    assert.deepEqual([found?.low, found?.high, found?.spread?.values], [-20.5, 61.5, 42]);
    assert.deepEqual(await project.rows(version, "select min(v)::int as low, max(v)::int as high from d"), [
      { low: -20, high: 61 },
    ]);
    assert.equal(contentOf(version).treated?.["v: outliers"], 2);
    assert.ok(project.logged.includes("v: outliers are below -20.5 and above 61.5"));
  });

  it("are no value by the median of the distances, or by deviations from the mean", async () => {
    for (const [treatment, low, high] of [
      // Median 20.5, median of the distances 10.5.
      [{ method: "mad", action: "missing" }, 20.5 - (3.5 * 10.5) / 0.6745, 20.5 + (3.5 * 10.5) / 0.6745],
      [{ method: "z", factor: 2, action: "missing" }, undefined, undefined],
    ] as const) {
      const { project, version } = await capture(treatment, csv, "number");
      const found = contentOf(version).bounds?.["v"];
      const mean = VALUES.reduce((sum, value) => sum + value, 0) / VALUES.length;
      const deviation = Math.sqrt(VALUES.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (VALUES.length - 1));
      const expected = [low ?? mean - 2 * deviation, high ?? mean + 2 * deviation];
      assert.ok(
        Math.abs((found?.low ?? 0) - expected[0]!) < 1e-9 && Math.abs((found?.high ?? 0) - expected[1]!) < 1e-9,
      );
      assert.deepEqual(await project.rows(version, "select count(v)::int as n, count(*)::int as rows from d"), [
        { n: 40, rows: 42 },
      ]);
    }
  });

  it("are held, and judged again by the bounds that held them, not by those of the few rows that were", async () => {
    const { project, version } = await capture({ method: "iqr", action: "hold" });
    assert.deepEqual(contentOf(version).quarantine?.rules, { "outliers:v": 2 });
    assert.equal(contentOf(version).treated?.["v: outliers"], 2);
    const [batch] = await project.batches();
    assert.ok(batch);
    const [held] = await project.held(batch);
    assert.match(JSON.stringify(held?.["messages"]), /v is \\"500\\": must be no outlier \(iqr, factor 1.5\)/);
    const text = (factor: number): string =>
      contractOf([
        ["id", "integer"],
        ["v", "integer", { outliers: { method: "iqr", factor, action: "hold" } }],
      ]);
    const replay = (factor: number) =>
      replayQuarantine(project, { batchId: batch.id, actor: "me", contract: { path: "c.yaml", text: text(factor) } });
    assert.deepEqual((await replay(1.5)).replayed, 0);
    // 30.75 + 20 · 20.5 = 440.75 and 10.25 - 410 = -399.75: the one below passes.
    const wider = await replay(20);
    assert.deepEqual([wider.replayed, wider.held], [1, 1]);
  });

  it("are not told where there are few values, or no spread, and that is said", async () => {
    const few = await capture({ method: "iqr", action: "missing" }, "id,v\n1,1\n2,2\n3,1000\n4,\n");
    assert.match(contentOf(few.version).bounds?.["v"]?.why ?? "", /3 values are too few, at least 20/);
    assert.equal(contentOf(few.version).treated?.["v: outliers"], 0);
    const same = await capture({ method: "mad", least: 3, action: "missing" }, "id,v\n1,5\n2,5\n3,5\n4,9\n");
    assert.match(contentOf(same.version).bounds?.["v"]?.why ?? "", /no spread/);
    const odd = `id,v\n${VALUES.map((value, index) => `${index},${value}`).join("\n")}\n97,nan\n98,inf\n99,1e308\n96,-1e308\n`;
    const huge = await capture({ method: "z", action: "missing" }, odd, "number");
    assert.deepEqual(contentOf(huge.version).bounds?.["v"]?.spread?.values, 44);
  });

  it("may be told by an earlier version, so that they do not drift with what comes", async () => {
    const reference = { method: "iqr", reference: 1, action: "hold" };
    const { project, version } = await capture(reference);
    assert.deepEqual(contentOf(version).bounds?.["v"]?.high, 61.5);
    const far = Array.from({ length: 40 }, (_, index) => 1000 + index);
    await project.write("b.csv", `id,v\n1,33\n${far.map((value) => `2,${value}\n`).join("")}`);
    const later = await project.runCapture(DECLARED);
    assert.deepEqual(contentOf(later.versions[0]).bounds?.["v"]?.high, 61.5);
    assert.deepEqual(contentOf(later.versions[0]).quarantine?.rules, { "outliers:v": 40 });
    await project.write("c.yaml", contractOf([["v", "integer"]]));
    await project.write("e.csv", "id,v\n5,5\n");
    assert.equal((await project.runCapture(DECLARED)).versions[0]?.version, 3);
    await project.write("c.yaml", contractOf([["v", "integer", { outliers: { ...reference, reference: 3 } }]]));
    await project.write("f.csv", "id,v\n6,6\n7,7\n");
    await project.write("g.csv", "id,v\n8,6\n9,7\n");
    await assert.rejects(project.runCapture(DECLARED), /refer to version 3, in which its values were not measured/);
  });

  it("have a method or bounds", () => {
    const problems = (outliers: object): string => problemsOf(contractOf([["v", "number", { outliers }]]));
    assert.match(problems({ method: "iqr", low: 1, action: "clip" }), /not both/);
    assert.match(problems({ factor: 2, low: 1, action: "clip" }), /say a method/);
    assert.match(problems({ action: "hold" }), /needs low, high/);
    assert.match(problems({ method: "iqr", factor: 0, action: "hold" }), /not understood/);
    assert.equal(problems({ low: 1, action: "hold" }), "");
  });
});

describeStores("tokens", (kind) => {
  it("are the same in every dataset, keep the type and form that is asked for, and say no value", async () => {
    const project = await openDataProject(kind, { secret });
    const text = contractOf([
      ["id", "integer", { tokenise: "PERSON_KEY" }],
      ["cpf", "string", { tokenise: { secret: "PERSON_KEY", format: "digits" } }],
      ["mail", "string", { trim: true, case: "lower", tokenise: { secret: "PERSON_KEY", format: "email" } }],
      ["name", "string", { tokenise: "PERSON_KEY" }],
    ]);
    await project.write("c.yaml", text);
    await project.write(
      "a.csv",
      "id,cpf,mail,name\n42,529.982.247-25, Ana@x.org,Ana\n7,111.444.777-35,b@x.org,\n-1,529.982.247-25,b@x.org,B\n8,CPF 529982247,b@x.org,C\n9,12345,b@x.org,D\n10,529.982.247-25,nobody,E\n",
    );
    const { versions } = await project.runCapture(DECLARED);
    const other = await project.runCapture(DECLARED, "e");
    const [first, second] = await project.rows(versions[0], "select * from d order by name nulls last");
    assert.match(String(first?.["cpf"]), /^\d{3}\.\d{3}\.\d{3}-\d{2}$/);
    assert.notEqual(first?.["cpf"], "529.982.247-25");
    assert.match(String(first?.["mail"]), /^[0-9a-f]{32}@token\.invalid$/);
    assert.match(String(first?.["name"]), /^tok_[0-9a-f]{32}$/);
    assert.equal(second?.["name"], null);
    assert.notEqual(Number(first?.["id"]), 42);
    assert.equal(contentOf(versions[0]).columns.find(({ name }) => name === "id")?.type, "BIGINT");
    assert.deepEqual(
      await project.rows(other.versions[0], "select * from d order by name nulls last"),
      await project.rows(versions[0], "select * from d order by name nulls last"),
    );
    assert.equal(contentOf(versions[0]).treated?.["cpf: tokenise"], 6);
    assert.deepEqual(contentOf(versions[0]).quarantine?.rules, {
      "tokenise:id": 1,
      "tokenise:cpf": 2,
      "tokenise:mail": 1,
    });
    const [batch] = await project.batches();
    const messages = JSON.stringify((await project.held(batch)).map((row) => row["messages"]));
    assert.ok(messages.includes("cpf is a protected value: must have 6 to 30 digits"));
    assert.ok(!messages.includes("529") && !project.logged.join("\n").includes("529"));
  });

  it("are looked for where rows refer to a dataset of tokens", async () => {
    const project = await openDataProject(kind, { secret });
    const token = { tokenise: { secret: "PERSON_KEY", format: "digits" } };
    await project.write("c.yaml", contractOf([["cpf", "string", token]]));
    await project.write("people.csv", "cpf\n529.982.247-25\n");
    await project.runCapture({ ...DECLARED, capture: { files: "people.csv" } }, "people");
    await project.write("o.yaml", contractOf([["cpf", "string", token, { relationships: [{ to: "people.cpf" }] }]]));
    await project.write("orders.csv", "cpf\n529.982.247-25\n111.444.777-35\n");
    const { versions } = await project.run(
      project.capture,
      { capture: { files: "orders.csv" }, contract: "o.yaml" },
      "orders",
      ["people"],
    );
    assert.deepEqual(contentOf(versions[0]).quarantine?.rules, { "reference:cpf": 1 });
    assert.equal(versions[0]?.rowCount, 1);
  });

  it("need a secret and a column that they fit", async () => {
    const project = await openDataProject(kind, { secret });
    await project.write("a.csv", "id\n1\n");
    await project.write("c.yaml", contractOf([["id", "integer", { tokenise: "NONE" }]]));
    await assert.rejects(project.runCapture(DECLARED), /secret NONE, which is not set/);
    const problems = (type: string, treatment: object): string => problemsOf(contractOf([["a", type, treatment]]));
    assert.match(problems("number", { tokenise: "K" }), /tokenise is for texts and whole numbers/);
    assert.match(problems("integer", { tokenise: { secret: "K", format: "digits" } }), /are whole numbers/);
    assert.match(problems("string", { tokenise: "K", hash: "K" }), /not both/);
    assert.match(problems("string", { tokenise: { secret: "K", format: "cpf" } }), /not understood/);
    assert.match(problems("integer", { tokenise: "K", outliers: { low: 1, action: "clip" } }), /no outliers/);
  });
});
