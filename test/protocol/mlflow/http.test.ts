import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { storeKinds } from "../../setup/stores.ts";
import { openMlflowServer, type TestMlflowServer } from "../../setup/mlflow-server.ts";
import { deliberate } from "./deliberate.ts";
import { expandBody, fill, type RecordedExchange, readRecordedExchanges, toPattern } from "./recorded-exchange.ts";

/** Answered by the guards of the whole server, not by these calls. */
const GUARDED = /header Host:|header Origin:/;
const HTML = "(HTML error page)";

interface Answer {
  readonly status: number;
  readonly text: string;
}

function request(
  exchange: RecordedExchange,
  values: ReadonlyMap<string, string>,
): { method: string; url: string; headers: Record<string, string>; payload?: string } {
  const { method, path } = exchange;
  const [body = "", note = ""] = exchange.body.split("  # ");
  const url = encodeURI(fill(path, values)).replaceAll("%25", "%");
  const headers: Record<string, string> = {};
  let payload: string | undefined;
  if (body.startsWith("header ")) {
    const [, name = "", value = ""] = /^header ([\w-]+): (.*)$/.exec(body) ?? [];
    headers[name.toLowerCase()] = value;
  } else if (body.startsWith("no Content-Type")) payload = "{}";
  else if (body.startsWith("(empty)")) payload = "";
  else if (body !== "" && method !== "GET") {
    payload = body.includes("(invalid JSON)") ? "{" : expandBody(body, values);
    headers["content-type"] =
      method === "PUT" || path.includes("upload-artifact") ? "application/octet-stream" : "application/json";
  } else if (method === "POST") {
    headers["content-type"] = "application/json";
    payload = "{}";
  }
  if (note.startsWith("header "))
    headers[note.slice(7).split(": ")[0]?.toLowerCase() ?? ""] = note.split(": ")[1] ?? "";
  return { method, url, headers, ...(payload === undefined ? {} : { payload }) };
}

async function ask(
  { server }: TestMlflowServer,
  exchange: RecordedExchange,
  values: ReadonlyMap<string, string>,
): Promise<Answer> {
  const response = await server.inject(request(exchange, values) as never);
  return { status: response.statusCode, text: response.body };
}

/** Remembers ids that later lines name. */
function remember(exchange: RecordedExchange, { status, text }: Answer, values: Map<string, string>): void {
  if (status !== 200 || !text.startsWith("{")) return;
  const answer = JSON.parse(text) as {
    run?: { info: { run_id: string } };
    model?: { info: { model_id: string } };
    webhook?: { webhook_id: string };
    next_page_token?: string;
  };
  const keep = (name: string, value: string | undefined): void => {
    if (value !== undefined && !values.has(name)) values.set(name, value);
  };
  if (exchange.path.endsWith("runs/create")) keep("run", answer.run?.info.run_id);
  if (exchange.method === "POST" && exchange.path.endsWith("/logged-models"))
    keep(exchange.body.includes('"lm2"') ? "model2" : "model", answer.model?.info.model_id);
  if (exchange.path.endsWith("/webhooks")) keep("webhook", answer.webhook?.webhook_id);
  if (answer.next_page_token !== undefined) values.set("token", answer.next_page_token);
}

/** The runs a, b, c and d, which the recording made without writing it down. */
async function makeOrderedRuns(server: TestMlflowServer, values: Map<string, string>): Promise<void> {
  const post = async (path: string, body: object): Promise<string> =>
    (
      await server.server.inject({
        method: "POST",
        url: `/api/2.0/mlflow/${path}`,
        payload: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      })
    ).body;
  const facts = [{ name: "a", m: 1, p: "x" }, { name: "b", m: "NaN", p: "X" }, { name: "c", m: -1 }, { name: "d" }];
  for (const [index, { name, m, p }] of facts.entries()) {
    const { run } = JSON.parse(
      await post("runs/create", { experiment_id: "3", run_name: name, start_time: index + 1 }),
    ) as { run: { info: { run_id: string } } };
    const runId = run.info.run_id;
    values.set(`run ${name}`, runId);
    if (m !== undefined) await post("runs/log-metric", { run_id: runId, key: "m", value: m, timestamp: 1 });
    if (p !== undefined) await post("runs/log-parameter", { run_id: runId, key: "p", value: p });
  }
}

function runOrder(text: string): string {
  const { runs = [] } = JSON.parse(text) as { runs?: { info: { run_name: string } }[] };
  return `run names in order: ${runs.map((run) => run.info.run_name).join(" ")}`;
}

function assertAnswer(exchange: RecordedExchange, answer: Answer, values: ReadonlyMap<string, string>): void {
  const { method, path, body, response } = exchange;
  const text = response.startsWith("run names in order:") ? runOrder(answer.text) : answer.text;
  const other = deliberate.find(
    (entry) =>
      entry.method === method &&
      entry.path.test(path) &&
      (entry.body?.test(body) ?? true) &&
      (entry.recorded ?? exchange.status) === exchange.status,
  );
  const told = `line ${exchange.line}: ${answer.text.slice(0, 400)}`;
  if (other !== undefined) {
    assert.equal(answer.status, other.status, told);
    if (other.response !== undefined) assert.match(text, other.response);
    return;
  }
  assert.equal(answer.status, exchange.status, told);
  if (response === HTML || method === "HEAD" || (response === "" && method === "GET")) return;
  if (path.includes("upload-artifact")) return;
  assert.match(text, toPattern(response, values));
}

// All are opened before the first test is declared: the runner ends when it knows of no more.
const servers = await Promise.all(storeKinds.map(async (kind) => ({ kind, server: await openMlflowServer(kind) })));
for (const { kind, server } of servers) {
  const values = new Map<string, string>([
    ["id", "0".repeat(32)],
    ["model-id", `m-${"0".repeat(32)}`],
  ]);
  describe(`MLflow's recorded answers (${kind})`, () => {
    for (const exchange of readRecordedExchanges()) {
      if (GUARDED.test(exchange.body)) continue;
      it(`${exchange.line} ${exchange.method} ${exchange.path} ${exchange.body.slice(0, 120)}`, async () => {
        const answer = await ask(server, exchange, values);
        remember(exchange, answer, values);
        if (exchange.body === '{"name":"sem"}') await makeOrderedRuns(server, values);
        assertAnswer(exchange, answer, values);
      });
    }
  });
}
