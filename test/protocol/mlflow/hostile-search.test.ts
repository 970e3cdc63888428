import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openMlflowServer, type TestMlflowServer } from "../../setup/mlflow-server.ts";
import { storeKinds } from "../../setup/stores.ts";

const LONGEST = 16 * 1024;
const repeated = (piece: string, length = LONGEST): string => piece.repeat(Math.floor(length / piece.length));

/** Each once made some parser look at the rest of the text again and again, or could have. */
const PIECES = [
  "(",
  ")",
  "()",
  "((a",
  "[",
  "a.",
  ".",
  "'",
  '"',
  "`",
  "\\'",
  "''",
  "'a' ",
  "a ",
  "1.",
  "1e",
  "- ",
  "/*",
  "--\n",
  "# \n",
  "@a",
  "a,",
  ", ",
  ";",
  "a;",
  "a+",
  "a=b",
  "= ",
  "NOT ",
  "NOT  NULL ",
  "a IN (",
  "a IS NULL AND ",
  "CASE ",
  "\u0000",
  " ",
  "é",
  "😀",
  "a ASC ",
  "timestamp ",
  'a"b" ',
  "a.'b'",
  "->>",
  "!=",
];
const HOSTILE = [
  `run_id IN (${repeated("'a' ,  ")}x`,
  `${"a".repeat(8000)}${" ".repeat(8000)}x`,
  repeated("tags.k = 'v' AND "),
  `${repeated("tags.k = 'v' AND ")}tags.k = 'v'`,
  `${repeated("name LIKE 'v' AND ")}name LIKE 'v'`,
  `${repeated("metrics.m > 1 AND ")}metrics.m > 1`,
  `name LIKE '${repeated("%_")}'`,
  `name ILIKE '${repeated("%a")}'`,
  `tags.${repeated("k")} = 'v'`,
];
const TOO_LONG = [repeated("(", LONGEST + 1), repeated("''", 2 ** 20 + 2), repeated("tags.k = 'v' AND ", 2 ** 18)];
/** JSON arrays in a token that this server did not write. */
const POSITIONS = [
  "{}",
  '{"after":{}}',
  '{"after":[{}]}',
  '{"after":[null,null]}',
  '{"after":[[1]]}',
  '{"after":"x"}',
  "[]",
  "x",
  "",
];

const SEARCHES = [
  { path: "runs/search", fields: { experiment_ids: ["0"] } },
  { path: "experiments/search", fields: { max_results: 10 } },
  { path: "logged-models/search", fields: { experiment_ids: ["0"] } },
  { path: "model-versions/search", fields: {} },
  { path: "registered-models/search", fields: {} },
] as const;

async function ask(
  server: TestMlflowServer,
  path: string,
  fields: object,
): Promise<{ readonly status: number; readonly error: string; readonly message: string }> {
  const asQuery = path === "registered-models/search";
  const query = asQuery
    ? `?${new URLSearchParams(Object.entries(fields).flatMap(([key, value]) => [value].flat().map((item: unknown): [string, string] => [key, String(item)]))).toString()}`
    : "";
  const answer = await server.server.inject({
    method: asQuery ? "GET" : "POST",
    url: `/api/2.0/mlflow/${path}${query}`,
    ...(asQuery ? {} : { payload: JSON.stringify(fields), headers: { "content-type": "application/json" } }),
  });
  const body = JSON.parse(answer.body) as { error_code?: string; message?: string };
  return { status: answer.statusCode, error: body.error_code ?? "", message: body.message ?? "" };
}

for (const kind of storeKinds) {
  describe(`hostile filters and orders (${kind})`, async () => {
    const server = await openMlflowServer(kind);
    for (const { path, fields } of SEARCHES) {
      it(`${path} reads or refuses each, and never fails`, async () => {
        // All read by the same parser: the whole list once.
        for (const text of path === "runs/search" ? [...PIECES.map((piece) => repeated(piece)), ...HOSTILE] : HOSTILE) {
          const order = path === "logged-models/search" ? [{ field_name: text }] : [text];
          for (const search of [{ filter: text }, { order_by: order }]) {
            const { status, error, message } = await ask(server, path, { ...fields, ...search });
            assert.ok(
              status === 200 || (status === 400 && error === "INVALID_PARAMETER_VALUE"),
              `${Object.keys(search)[0]} ${JSON.stringify(text.slice(0, 40))}: ${status} ${error} ${message.slice(0, 300)}`,
            );
          }
        }
      });

      it(`${path} refuses page tokens that it did not write`, async () => {
        for (const position of POSITIONS) {
          const { status, message } = await ask(server, path, {
            ...fields,
            page_token: Buffer.from(position).toString("base64") || "!",
          });
          assert.equal(status, 400, `${position}: ${message}`);
          assert.match(message, /[Pp]age token/);
        }
      });

      it(`${path} says how long a filter and an order may be`, async () => {
        for (const text of TOO_LONG) {
          const order = path === "logged-models/search" ? [{ field_name: text }] : [text];
          for (const search of [{ filter: text }, { order_by: order }]) {
            const { status, error, message } = await ask(server, path, { ...fields, ...search });
            assert.equal(status, 400);
            assert.equal(error, "INVALID_PARAMETER_VALUE");
            assert.match(message, /^The filter or order has \d+ characters\. At most 16384 are read/);
          }
        }
      });

      it(`${path} takes many keys in an order, or says how many`, async () => {
        for (const count of [10, 100, 5000]) {
          const keys = Array.from({ length: count }, (_, index) =>
            path === "runs/search" ? `metrics.m${index}` : `name${index % 2 === 0 ? "" : " DESC"}`,
          );
          const order =
            path === "logged-models/search" ? keys.map((_, index) => ({ field_name: `metrics.m${index}` })) : keys;
          const { status, error, message } = await ask(server, path, { ...fields, order_by: order });
          assert.ok(
            status === 200 || (status === 400 && error === "INVALID_PARAMETER_VALUE"),
            `${count}: ${status} ${error} ${message.slice(0, 300)}`,
          );
        }
      });
    }

    it("takes as many run ids in a list as MLflow's clients send", async () => {
      const ids = Array.from({ length: 10_000 }, (_, index) => `'${String(index).padStart(32, "0")}'`);
      assert.equal(
        (
          await ask(server, "runs/search", {
            experiment_ids: ["0"],
            filter: `attributes.run_id IN (${ids.join(", ")})`,
          })
        ).status,
        200,
      );
      assert.equal(
        (await ask(server, "model-versions/search", { filter: `run_id IN (${ids.join(", ")})` })).status,
        200,
      );
      assert.equal(
        (
          await ask(server, "runs/search", {
            experiment_ids: Array.from({ length: 40_000 }, (_, index) => String(index)),
          })
        ).status,
        200,
      );
    });
  });
}
