// OpenAI's API in front of a server that was deployed as code, asked by OpenAI's own Python client as it is.
import assert from "node:assert/strict";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { openaiRoutes } from "#api";
import { silentLog } from "#base";
import { createServices } from "#executors";
import { getPrediction } from "#metadata-store/serving";
import { createOpenaiCalls } from "../../src/serving/openai/openai-calls.ts";
import { createPredictionLog } from "../../src/serving/prediction-log.ts";
import { runEsteira } from "../setup/command-line.ts";
import { runPython } from "../setup/mlflow-client.ts";
import { openTestServer, signIn } from "../setup/opened-server.ts";
import { testPython } from "../setup/python-environment.ts";

const LIMIT = { timeout: 5 * 60_000 };

const FILES = {
  "pipelines/assistant.yaml": `steps:
  assistant: { run: "mkdir -p out && cp llm/server.mjs out/", makes: { code: out/ }, files: [llm/**] }
  live:
    deploy: assistant
    to: [production, staging]
    start: node server.mjs
    health: /healthz
    openai: { model: own-name }
`,
  "pipelines/hidden.yaml": `steps:
  hidden: { run: "mkdir -p out && cp llm/server.mjs out/", makes: { code: out/ }, files: [llm/**] }
  live_hidden: { deploy: hidden, to: production, start: node server.mjs, health: /healthz }
`,
  "pipelines/solo.yaml": `steps:
  solo: { run: "mkdir -p out && cp llm/server.mjs out/", makes: { code: out/ }, files: [llm/**] }
  live_solo: { deploy: solo, to: production, start: node server.mjs, health: /healthz, openai: true }
`,
} as const;

const STARTED = [
  ["production", "assistant"],
  ["staging", "assistant"],
  ["production", "hidden"],
  ["production", "solo"],
] as const;

const CLIENT = `
import json, sys, time
import openai
facts = json.loads(sys.argv[1])
client = openai.OpenAI(base_url=facts["url"] + "/openai/v1", api_key=facts["token"], max_retries=0)
found = {}
found["models"] = [[model.id, model.object, model.owned_by] for model in client.models.list()]
found["model"] = client.models.retrieve("solo").id
ask = lambda text, model="production/assistant", **more: client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)
answer = ask("hello", seed=9007199254740993, temperature=0.5, extra_headers={"x-request-id": "r-1", "cookie": "session=1"})
found["chat"] = json.loads(answer.choices[0].message.content)
found["usage"] = answer.usage.total_tokens
raw = client.chat.completions.with_raw_response.create(model="production/assistant", messages=[{"role": "user", "content": "hi"}])
found["headers"] = dict(raw.headers)
times, parts = [], []
for chunk in ask("slow", stream=True):
    times.append(time.time())
    parts += [choice.delta.content for choice in chunk.choices]
found["parts"] = parts
found["spread"] = times[-1] - times[0]
found["completion"] = client.completions.create(model="solo", prompt="so").choices[0].text
found["embeddings"] = [each.embedding for each in client.embeddings.create(model="solo", input=["abc", "de"], encoding_format="float").data]
errors = {}
for name, call in {
    "unknown": lambda: ask("hello", "none"),
    "unclear": lambda: ask("hello", "assistant"),
    "hidden": lambda: ask("hello", "hidden"),
    "own": lambda: ask("fail"),
    "elsewhere": lambda: ask("elsewhere"),
    "nobody": lambda: client.with_options(api_key="est_wrong").models.list(),
    "viewer": lambda: client.with_options(api_key=facts["viewer"]).chat.completions.create(model="solo", messages=[]),
    "nothing": lambda: client.post("/chat/completions", body={"messages": []}, cast_to=object),
    "absent": lambda: client.post("/images/generations", body={}, cast_to=object),
}.items():
    try:
        call()
        errors[name] = "no error"
    except openai.APIStatusError as error:
        errors[name] = f"{error.status_code} {type(error).__name__} {error.message}"
found["errors"] = errors
try:
    parts = []
    for chunk in ask("break", "solo", stream=True):
        parts += [choice.delta.content for choice in chunk.choices]
    found["broken"] = [parts, "no error"]
except openai.APIError as error:
    found["broken"] = [parts, error.message]
stream = ask("long", stream=True)
next(iter(stream))
stream.close()
print(json.dumps(found))
`;

describe("a server of the user's choice behind OpenAI's API", async () => {
  // Before the server's own: its folder is removed at the end, and with it the way to their supervisors.
  after(async () => {
    for (const [environment, name] of STARTED) await services.stop({ project: "p", environment, name });
  });
  const opened = await openTestServer({
    yaml: "environments: { production: {}, staging: {} }\n",
    start: true,
    async prepare(folder) {
      for (const [path, text] of Object.entries(FILES)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), text);
      }
      await mkdir(join(folder, "llm"));
      await copyFile(join(import.meta.dirname, "model-server.mjs"), join(folder, "llm/server.mjs"));
    },
  });
  const platform = await opened.platform.whole();
  const services = createServices({ folder: join(opened.folder, ".esteira", "services") });
  for (const name of ["assistant", "hidden", "solo"]) {
    const { code, stdout, stderr } = await runEsteira(opened.folder, ["run", name]);
    assert.equal(code, 0, stdout + stderr);
  }
  const token = (await signIn(opened, "ana", "contributor"))["authorization"]?.replace("Bearer ", "") ?? "";
  const viewer = (await signIn(opened, "eva", "viewer"))["authorization"]?.replace("Bearer ", "") ?? "";
  const post = (path: string, body: unknown, more: RequestInit = {}): Promise<Response> =>
    fetch(`${opened.url}/openai/v1/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      ...more,
    });
  const said = z.object({ choices: z.tuple([z.object({ message: z.object({ content: z.string() }) })]) });
  const leftOf = async (model: string): Promise<number> => {
    const response = await post("chat/completions", { model, messages: [{ content: "hi" }] });
    const content = said.parse(await response.json()).choices[0].message.content;
    return z.object({ left: z.number() }).parse(JSON.parse(content)).left;
  };
  const logged = async (response: Response) => {
    const id = response.headers.get("x-esteira-prediction-id") ?? "";
    return platform.store.read((transaction) => getPrediction(transaction, id));
  };

  it("answers OpenAI's own client: models, chats whole and in parts, completions, embeddings", LIMIT, async () => {
    const made = await testPython(["openai==3.57.0"]);
    if ("problem" in made) throw new Error(made.problem);
    const facts = { url: opened.url, token, viewer };
    const text = await runPython(made.python, CLIENT, { arguments: [JSON.stringify(facts)] });
    const found = JSON.parse(text.split("\n").at(-1) ?? "") as Record<string, unknown>;
    assert.deepEqual(found["models"], [
      ["production/assistant", "model", "p"],
      ["solo", "model", "p"],
      ["staging/assistant", "model", "p"],
    ]);
    assert.equal(found["model"], "solo");
    const chat = found["chat"] as {
      readonly headers: Readonly<Record<string, string>>;
      readonly asked: { readonly model: string };
      readonly raw: string;
    };
    assert.equal(chat.asked.model, "own-name");
    assert.match(chat.raw, /"seed":9007199254740993,|"seed":9007199254740993}/);
    // What the supervisor adds says nothing of the caller.
    const passed = Object.keys(chat.headers).filter((name) => !name.startsWith("x-forwarded-"));
    assert.deepEqual(passed.toSorted(), [
      "accept",
      "accept-encoding",
      "connection",
      "content-length",
      "content-type",
      "host",
      "x-request-id",
    ]);
    assert.doesNotMatch(JSON.stringify(chat), new RegExp(token));
    assert.equal(chat.headers["x-request-id"], "r-1");
    assert.equal(found["usage"], 8);
    const headers = found["headers"] as Record<string, string>;
    assert.deepEqual([headers["set-cookie"], headers["server"]], [undefined, undefined]);
    assert.deepEqual(found["parts"], ["0 ☀", "1 ☀", "2 ☀", "3 ☀"]);
    assert.ok(Number(found["spread"]) > 0.5, `all parts came within ${String(found["spread"])} s`);
    assert.equal(found["completion"], "so!");
    assert.deepEqual(found["embeddings"], [
      [3, 0.5],
      [2, 0.5],
    ]);
    const errors = found["errors"] as Record<string, string>;
    const wanted: Readonly<Record<string, RegExp>> = {
      unknown: /^404 NotFoundError .*"none".*production\/assistant/s,
      unclear: /^404 NotFoundError .*staging\/assistant/s,
      hidden: /^404 NotFoundError .*"hidden"/s,
      own: /^400 BadRequestError .*too hot/s,
      elsewhere: /^502 /,
      nobody: /^401 AuthenticationError/,
      viewer: /^403 PermissionDeniedError/,
      nothing: /^400 BadRequestError .*model/s,
      absent: /^404 NotFoundError/,
    };
    for (const [name, pattern] of Object.entries(wanted)) assert.match(errors[name] ?? "", pattern, name);
    const [parts, problem] = found["broken"] as [string[], string];
    assert.deepEqual(parts, ["0 ☀", "1 ☀"]);
    assert.match(problem, /production\/solo does not answer/);
    while ((await leftOf("production/assistant")) === 0) await pause(50);
  });

  it("logs what a call was, not what it said, before its last byte", LIMIT, async () => {
    const secret = "São Paulo 4711";
    const response = await post("chat/completions", {
      model: "staging/assistant",
      messages: [{ role: "user", content: secret }],
      stream: true,
      temperature: 0.25,
    });
    await response.text();
    const row = await logged(response);
    assert.deepEqual([row?.environment, row?.endpoint], ["staging", "assistant"]);
    const asked = z.record(z.string(), z.unknown()).parse(JSON.parse(row?.features ?? ""));
    assert.deepEqual(
      [asked["route"], asked["messages"], asked["stream"], asked["temperature"]],
      ["/v1/chat/completions", 1, true, 0.25],
    );
    const answered = z.record(z.string(), z.unknown()).parse(JSON.parse(row?.predictionText ?? ""));
    assert.deepEqual(
      [answered["status"], answered["end"], answered["prompt_tokens"], answered["completion_tokens"]],
      [200, "whole", 3, 5],
    );
    assert.match(row?.context ?? "", /ana/);
    assert.doesNotMatch(JSON.stringify(row), /4711/);
  });

  it("gives back the place of a reader who stops reading, and logs that he left", LIMIT, async () => {
    const predictions = createPredictionLog(platform.store);
    const facts = { store: platform.store, services, predictions, project: "p", log: silentLog, mostOpen: 1 };
    const chat = createOpenaiCalls(facts).find(({ route }) => route === openaiRoutes.askChat);
    const ask = async () => {
      const document = { model: "production/assistant", stream: true, messages: [{ content: "long" }] };
      const answer = await chat?.handler({
        params: {},
        query: new URLSearchParams(),
        headers: {},
        body: Buffer.from(JSON.stringify(document)),
      });
      assert.equal(answer?.status, 200);
      return answer;
    };
    const first = await ask();
    assert.ok(typeof first?.body === "object" && !(first.body instanceof Uint8Array));
    for await (const piece of first.body) {
      assert.ok(piece.length > 0);
      break;
    }
    const id = first.headers["x-esteira-prediction-id"] ?? "";
    const row = await platform.store.read((transaction) => getPrediction(transaction, id));
    assert.match(row?.predictionText ?? "", /"end":"left"/);
    const second = await ask();
    assert.ok(typeof second?.body === "object" && !(second.body instanceof Uint8Array));
    for await (const piece of second.body) if (piece.length > 0) break;
  });

  it("is asked while another release takes its place, and while its process is started again", LIMIT, async () => {
    const ask = async (): Promise<number> => {
      const response = await post("embeddings", { model: "solo", input: "abc" });
      await response.text();
      return response.status;
    };
    await writeFile(join(opened.folder, "llm", "more.txt"), "another release");
    let isOver = false;
    const asking = (async () => {
      const statuses = new Set<number>();
      while (!isOver) {
        statuses.add(await ask());
        await pause(10);
      }
      return [...statuses];
    })();
    const { code, stdout, stderr } = await runEsteira(opened.folder, ["run", "solo"]);
    assert.equal(code, 0, stdout + stderr);
    isOver = true;
    assert.deepEqual(await asking, [200]);
  });

  it("is down where it was stopped, in OpenAI's words", LIMIT, async () => {
    await services.stop({ project: "p", environment: "staging", name: "assistant" });
    const response = await post("embeddings", { model: "staging/assistant", input: "abc" });
    const { error } = (await response.json()) as { error: { type: string; code: string } };
    assert.deepEqual([response.status, error.type, error.code], [503, "server_error", "SERVING_SERVER_DOWN"]);
  });
});
