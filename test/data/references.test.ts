import assert from "node:assert/strict";
import { it } from "node:test";
import {
  type CaptureDeclaration,
  type DatasetContent,
  readContract,
  replayQuarantine,
  type SqlDeclaration,
} from "#data";
import type { AssetVersion } from "#metadata-store";
import { describeStores } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

const CUSTOMERS = "customer,country\nana,BR\nrui,PT\n";
const ORDERS = "id,customer,country\n1,ana,BR\n2,eva,BR\n3,,PT\n4,rui,BR\n";

const contract = (customer: string, object = ""): string => `apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - { name: id, logicalType: integer, required: true }
      - name: customer
        logicalType: string
${customer}
      - { name: country, logicalType: string }
${object}`;
const OF_PROPERTY = contract("        relationships: [{ to: customers.customer }]");
const OF_OBJECT = contract(
  "",
  `    relationships:
      - from: [orders.customer, orders.country]
        to: [customers.customer, customers.country]
`,
);
const CAPTURE: CaptureDeclaration = { capture: { files: "orders.csv" }, contract: "c.yaml" };
const KNOWN = { customers: "data", orders: "data" } as const;

async function opened(kind: Parameters<typeof openDataProject>[0], text: string): Promise<DataProject> {
  const project = await openDataProject(kind);
  await project.write("customers.csv", CUSTOMERS);
  await project.write("orders.csv", ORDERS);
  await project.write("c.yaml", text);
  await project.runCapture({ capture: { files: "customers.csv" } }, "customers");
  return project;
}

const contentOf = (version: AssetVersion | undefined): DatasetContent => version?.content as DatasetContent;

describeStores("references of a contract to another dataset", (kind) => {
  it("hold back captured rows whose key is not there, let nulls pass, and take them in once it is", async () => {
    const project = await opened(kind, OF_PROPERTY);
    const { run, capture, rows, batches, held, analyse, preview, logged } = project;
    const analysis = await analyse(capture, CAPTURE, "orders", KNOWN);
    assert.deepEqual(analysis.inputs, [{ asset: "customers", role: "reference", path: ["contract"] }]);
    assert.deepEqual(analysis.problems, []);
    const { versions, outcome } = await run(capture, CAPTURE, "orders", ["customers"]);
    assert.deepEqual(await rows(versions[0], "select id::int as id from d order by id"), [
      { id: 1 },
      { id: 3 },
      { id: 4 },
    ]);
    assert.equal(outcome.facts?.["quarantined"], 1);
    assert.deepEqual(contentOf(versions[0]).quarantine?.rules, { "reference:customer": 1 });
    const [batch] = await batches("orders");
    assert.deepEqual((await held(batch))[0]?.["messages"], ['customer is "eva": must be a customer of customers']);
    const replay = { batchId: batch?.id ?? "", contract: { path: "c.yaml", text: OF_PROPERTY }, actor: "me" };
    assert.equal((await replayQuarantine(project, replay)).replayed, 0);
    // The customer comes, another goes: what is there is looked at when the step runs again.
    await project.write("customers.csv", "customer,country\nana,BR\neva,BR\n");
    await project.runCapture({ capture: { files: "customers.csv" }, write: "replace" }, "customers");
    await run(capture, CAPTURE, "orders", ["customers"]);
    assert.match(logged.join("\n"), /warning: 1 row of orders no longer keeps reference:customer/);
    assert.match(logged.join("\n"), /1 row of orders was held back for reference:customer; .*quarantine replay orders/);
    const replayed = await replayQuarantine(project, replay);
    assert.deepEqual([replayed.replayed, replayed.held], [1, 0]);
    assert.match(String(await preview(capture, CAPTURE, "orders", KNOWN)), /orders.csv|unchanged/);
  });

  it("are compared as keys of several columns, counted as warnings where they say so, and of hashed values", async () => {
    const { run, capture, write, logged } = await opened(kind, OF_OBJECT);
    const { versions } = await run(capture, CAPTURE, "orders", ["customers"]);
    assert.deepEqual(contentOf(versions[0]).quarantine?.rules, { "reference:customer+country": 2 });
    const warned = contract(
      "        relationships: [{ id: known, to: /schema/c1/properties/c2, customProperties: [{ property: severity, value: warning }] }]",
      "  - { id: c1, name: people, physicalName: customers, properties: [{ id: c2, name: customer }] }\n",
    );
    await write("c.yaml", warned);
    await write("orders.csv", `${ORDERS}5,nobody,BR\n`);
    const again = await run(capture, { ...CAPTURE, write: "replace" }, "orders", ["customers"]);
    assert.equal(again.versions[0]?.rowCount, 5);
    assert.match(logged.join("\n"), /2 rows break known/);
  });

  it("hold of the rows that a query makes", async () => {
    const { run, sql, write, analyse, runCapture, rows, preview } = await opened(kind, OF_PROPERTY);
    await runCapture({ capture: { files: "orders.csv" } }, "received");
    await write("o.sql", "SELECT * FROM received");
    const declaration: SqlDeclaration = { sql: "o.sql", contract: "c.yaml" };
    const known = { ...KNOWN, received: "data" } as const;
    assert.deepEqual(
      (await analyse(sql, declaration, "orders", known)).inputs.map(({ asset, role }) => [asset, role]),
      [
        ["received", "input"],
        ["customers", "reference"],
      ],
    );
    assert.match(String(await preview(sql, declaration, "orders", known)), /checks 2 rules about rows/);
    const { versions } = await run(sql, declaration, "orders", ["received", "customers"]);
    assert.equal(versions[0]?.rowCount, 3);
    // Of a warning, rows are counted and published.
    await write(
      "c.yaml",
      contract(
        "        relationships: [{ to: customers.customer, customProperties: [{ property: severity, value: info }] }]",
      ),
    );
    const warned = await run(sql, declaration, "orders", ["received", "customers"]);
    assert.equal(warned.versions[0]?.rowCount, 4);
    assert.deepEqual(await rows(warned.versions[0], "select count(*)::int as n from d"), [{ n: 4 }]);
  });

  it("of a dataset to itself decide over the dataset", async () => {
    const text = OF_PROPERTY.replace("to: customers.customer", "to: orders.country");
    const { run, sql, analyse, write, runCapture } = await opened(kind, text);
    await runCapture({ capture: { files: "orders.csv" } }, "received");
    await write("o.sql", "SELECT * FROM received");
    const declaration: SqlDeclaration = { sql: "o.sql", contract: "c.yaml" };
    const { inputs } = await analyse(sql, declaration, "orders", { ...KNOWN, received: "data" });
    assert.deepEqual(inputs.length, 1);
    await assert.rejects(
      run(sql, declaration, "orders", ["received"]),
      /rows whose customer is no country of the dataset must be 0, but it is 3/,
    );
  });

  it("tell what they cannot find, with its place", async () => {
    const { run, capture, analyse, write } = await opened(kind, OF_PROPERTY);
    const { problems } = await analyse(capture, CAPTURE, "orders", { orders: "data", customer: "data" });
    assert.equal(problems[0]?.message, 'No step makes a dataset "customers", which orders refers to');
    assert.deepEqual(problems[0]?.at, { file: "c.yaml", line: 12, column: 31 });
    assert.equal(problems[0]?.hint, 'Did you mean "customer"?');
    for (const [to, expected] of [
      ["customers.name", /has no such column; it has customer, country/],
      ["customers.id", /has no such column/],
    ] as const) {
      await write("c.yaml", OF_PROPERTY.replace("customers.customer", to));
      await assert.rejects(run(capture, CAPTURE, "orders", ["customers"]), expected);
      const told = await analyse(capture, CAPTURE, "orders", KNOWN);
      assert.match(told.problems[0]?.message ?? "", expected);
    }
    await write("c.yaml", OF_PROPERTY.replace("logicalType: string\n", "logicalType: integer\n"));
    await assert.rejects(
      run(capture, CAPTURE, "orders", ["customers"]),
      /customer is BIGINT, and customers.customer is VARCHAR: no value of one is one of the other/,
    );
  });

  it("are read in every form of the standard, and refused where they say nothing", () => {
    const messages = (text: string): readonly string[] =>
      readContract(text, "c.yaml").problems.map(({ message }) => message);
    const property = (to: string): string => contract(`        relationships: [{ to: ${to} }]`);
    assert.deepEqual(messages(property("customers.customer")), []);
    assert.deepEqual(messages(property("[customers.customer]")), []);
    assert.match(messages(property("[c.a, c.b]"))[0] ?? "", /1 columns? refers? to 2|1 columns refer to 2/);
    assert.match(messages(property("customers"))[0] ?? "", /names no property/);
    assert.match(messages(property('"other.yaml#/schema/a/properties/b"'))[0] ?? "", /leads to another contract/);
    assert.match(messages(property("/schema/a/properties/b"))[0] ?? "", /has no object "a"/);
    assert.match(messages(property("orders.nothing"))[0] ?? "", /orders has no property "nothing"/);
    const object = (text: string): string => contract("", `    relationships: [${text}]\n`);
    assert.match(messages(object("{ to: a.b }"))[0] ?? "", /needs `from`/);
    assert.match(
      messages(object("{ from: people.x, to: a.b }"))[0] ?? "",
      /from names people, and the relationship stands in orders/,
    );
    assert.match(
      messages(object("{ from: [orders.id, orders.customer], to: [a.b, c.d] }"))[0] ?? "",
      /several objects/,
    );
    assert.deepEqual(messages(object("{ type: isPartOf, to: x }")), []);
  });
});
