import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import Fastify from "fastify";
import { ROLES_OF_ACTION } from "#access";
import { ACTIONS, addressOf, listMissingRoutes, listRoutes, type NamedRoute, type Route, toAddress } from "#api";
import { isEsteiraError } from "#base";
import { mountRoutes, refuseUnguardedRoutes } from "../../src/server/routing/mount-routes.ts";
import { openTestServer, type OpenedServer, signIn } from "../setup/opened-server.ts";
import { type Example, exampleOf, type Held } from "./route-examples.ts";

/**
 * `surface METHOD path`, the least role that may call it (`open`: anybody, `signed`: whoever signs), and which tokens
 * beside: `attempt` of a step, `predict`, `read`, `push` and `work` those made with `--only`.
 */
const TABLE = resolve(import.meta.dirname, "access.tsv");
const ROLES = ["viewer", "contributor", "reviewer", "admin"] as const;

interface Row {
  readonly least: string;
  readonly also: readonly string[];
}

interface Caller {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What of them is let in. */
  mayCall(row: Row): boolean;
  /** What they hear when they are not. */
  readonly refusal: 401 | 403;
}

async function readTable(): Promise<ReadonlyMap<string, Row>> {
  const lines = (await readFile(TABLE, "utf8")).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line): readonly [string, Row] => {
      const [route = "", least = "", also = ""] = line.split("\t");
      return [route, { least, also: also.split(",").filter((name) => name !== "") }];
    }),
  );
}

function nameOf({ surface, method, path }: Route): string {
  return `${surface} ${method} ${path.startsWith("/") ? path : surface === "mlflow" ? path : addressOf({ surface, path })}`;
}

/** The status of an answer, whose body is not waited for: some never end. */
async function statusOf(
  url: string,
  route: Pick<Route, "surface" | "method" | "path">,
  example: Example,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const gone = new AbortController();
  const { params = {}, query = {} } = example;
  const filled = Object.fromEntries([...route.path.matchAll(/:(\w+)/g)].map(([, name]) => [name, "x"]));
  const address = toAddress(route, { params: { "*": "x", ...filled, ...params }, query });
  const hasBody = route.method !== "GET";
  const type = typeof example.body === "string" ? "application/octet-stream" : "application/json";
  const body = typeof example.body === "string" ? example.body : JSON.stringify(example.body ?? {});
  const answer = await fetch(url + address, {
    method: route.method,
    signal: gone.signal,
    headers: { ...headers, ...(hasBody ? { "content-type": type } : {}) },
    ...(hasBody ? { body } : {}),
  });
  gone.abort();
  return answer.status;
}

/** A project with a step that waits, whose token stands in the file `token`. */
async function openServerWithAttempt(): Promise<OpenedServer & { readonly attempt: Record<string, string> }> {
  const opened = await openTestServer({
    start: true,
    // The step leaves its token for the test, which no log would show.
    yaml: "isolation: none\n",
    prepare: async (folder) => {
      await mkdir(join(folder, "pipelines"));
      const command = `printf %s "$ESTEIRA_TOKEN" > ${join(folder, "part")} && mv ${join(folder, "part")} ${join(folder, "token")} && sleep 600`;
      await writeFile(join(folder, "pipelines/wait.yaml"), `steps:\n  wait: { run: ${JSON.stringify(command)} }\n`);
    },
  });
  const { url, folder } = opened;
  await post(url, "/api/v1/pipelines/wait/runs", {}, {});
  for (;;) {
    const token = await readFile(join(folder, "token"), "utf8").catch(() => undefined);
    if (token !== undefined) return { ...opened, attempt: { authorization: `Bearer ${token}` } };
    await new Promise((done) => setTimeout(done, 20));
  }
}

function post(url: string, path: string, headers: Readonly<Record<string, string>>, body: object): Promise<Response> {
  const type = { "content-type": "application/json" };
  return fetch(url + path, { method: "POST", headers: { ...headers, ...type }, body: JSON.stringify(body) });
}

/** Whoever may call, or not. */
async function createCallers(opened: OpenedServer, attempt: Record<string, string>): Promise<readonly Caller[]> {
  const { access } = opened.platform;
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
  const nobody = (name: string, headers: Record<string, string>, refusal: 401 | 403): Caller => ({
    name,
    headers,
    refusal,
    mayCall: () => false,
  });
  const limited = async (only: string): Promise<Caller> => {
    const { token } = await access.createToken({ user: "a-contributor", label: "", only, actor: "root" });
    return { name: `--only ${only}`, headers: bearer(token), refusal: 403, mayCall: ({ also }) => also.includes(only) };
  };
  const unknown = `${"0".repeat(26)}_${"a".repeat(43)}`;
  const without = await signIn(opened, "none");
  await access.createUser({ name: "foreign", roles: [{ project: "other", role: "admin" }], actor: "root" });
  const foreign = (await access.createToken({ user: "foreign", label: "", actor: "root" })).token;
  const gone = await signIn(opened, "gone", "admin");
  await access.grant({ user: "gone", project: "p", role: undefined, actor: "root" });
  await signIn(opened, "left", "admin");
  const left = await access.createToken({ user: "left", label: "", actor: "root" });
  await access.revokeToken({ id: left.id, actor: "root" });
  const withRoles: Caller[] = [];
  for (const [rank, role] of ROLES.entries()) {
    const headers = await signIn(opened, `a-${role}`, role);
    const mayCall = ({ least }: Row): boolean => rank >= ROLES.findIndex((name) => name === least);
    withRoles.push({ name: role, headers, refusal: 403, mayCall });
  }
  await access.createUser({
    name: "shop",
    kind: "service",
    owner: "a-admin",
    roles: [{ project: "p", role: "contributor" }],
    actor: "root",
  });
  const service = (await access.createToken({ user: "shop", label: "", actor: "root" })).token;
  return [
    nobody("nobody", {}, 401),
    nobody("an unknown token", bearer(`est_${unknown}`), 401),
    nobody("a token of an unknown attempt", bearer(`esa_${unknown}`), 401),
    nobody("a revoked token", bearer(left.token), 401),
    nobody("a user without a role", without, 403),
    nobody("an administrator of another project", bearer(foreign), 403),
    nobody("a user whose role was taken away", gone, 403),
    ...withRoles,
    {
      name: "a service",
      headers: bearer(service),
      refusal: 403,
      mayCall: ({ least }) => ["viewer", "contributor"].includes(least),
    },
    { name: "an attempt", headers: attempt, refusal: 403, mayCall: ({ also }) => also.includes("attempt") },
    await limited("predict"),
    await limited("read"),
    await limited("push"),
    await limited("work"),
  ];
}

/** What the examples speak of, made by MLflow's calls. */
async function createHeld(url: string, headers: Record<string, string>): Promise<Held> {
  const make = async <Answer>(path: string, body: object): Promise<Answer> => {
    const answer = await post(url, `/api/2.0/mlflow/${path}`, headers, body);
    assert.equal(answer.status, 200, `${path}: ${await answer.clone().text()}`);
    return (await answer.json()) as Answer;
  };
  const experiment = async (name: string): Promise<string> =>
    (await make<{ experiment_id: string }>("experiments/create", { name })).experiment_id;
  const run = async (id: string): Promise<string> =>
    (await make<{ run: { info: { run_id: string } } }>("runs/create", { experiment_id: id, start_time: 1 })).run.info
      .run_id;
  const loggedModel = async (id: string): Promise<string> =>
    (await make<{ model: { info: { model_id: string } } }>("logged-models", { experiment_id: id })).model.info.model_id;
  const kept = await experiment("kept");
  for (const name of ["kept", "doomed"]) await make("registered-models/create", { name });
  for (let version = 1; version <= 2; version++)
    await make("model-versions/create", { name: "kept", source: `mlflow-artifacts:/${kept}/model` });
  await make("registered-models/alias", { name: "kept", version: "1", alias: "first" });
  const { webhook } = await make<{ webhook: { webhook_id: string } }>("webhooks", {
    name: "kept",
    url: "https://example.com/hook",
    events: [{ entity: "MODEL_VERSION", action: "CREATED" }],
  });
  return {
    experiment: kept,
    run: await run(kept),
    loggedModel: await loggedModel(kept),
    doomed: { experiment: await experiment("doomed"), run: await run(kept), loggedModel: await loggedModel(kept) },
    webhook: webhook.webhook_id,
  };
}

/** What is wrong with the answers to one route. */
async function tryRoute(url: string, { route }: NamedRoute, row: Row, trial: Trial): Promise<readonly string[]> {
  const { callers, example } = trial;
  const answers = await Promise.all(
    callers.map(async (caller) => ({ caller, status: await statusOf(url, route, example, caller.headers) })),
  );
  const isRefused = (status: number): boolean => status === 401 || status === 403;
  const isRight = ({ caller, status }: (typeof answers)[number]): boolean =>
    row.least === "open" || caller.mayCall(row) ? !isRefused(status) : status === caller.refusal;
  const wrong = answers
    .filter((answer) => !isRight(answer))
    .map(({ caller, status }) => `${nameOf(route)}: ${caller.name} got ${status}`);
  // A body that is refused to everybody would prove nothing of those who are refused for their role.
  const isTaken = answers.some(({ status }) => !isRefused(status) && ![400, 413, 415, 422, 500].includes(status));
  return isTaken || example.isNeverServed === true
    ? wrong
    : [...wrong, `${nameOf(route)}: its example is taken from nobody`];
}

interface Trial {
  readonly callers: readonly Caller[];
  readonly example: Example;
}

describe("who may call what", () => {
  it("is what the table says, for every route of every surface and every kind of caller, with bodies that are valid", async () => {
    const opened = await openServerWithAttempt();
    await opened.platform.access.createUser({ name: "root", actor: "root" });
    const callers = await createCallers(opened, opened.attempt);
    const admin = callers.find(({ name }) => name === "admin")?.headers ?? {};
    const held = await createHeld(opened.url, { ...admin });
    const table = await readTable();
    const wrong: string[] = [];
    for (const named of [...listRoutes(), ...listMissingRoutes()]) {
      const { route } = named;
      const row = table.get(nameOf(route));
      const isServed = !listMissingRoutes().some((missing) => missing.route === route);
      const example = isServed ? exampleOf(named, held) : { isNeverServed: true };
      if (row === undefined) wrong.push(`${nameOf(route)}: no row in access.tsv`);
      else if (example === undefined) wrong.push(`${nameOf(route)}: no example in route-examples.ts`);
      else if ((await route.schemas?.())?.body?.safeParse(example.body ?? {}).success === false)
        wrong.push(`${nameOf(route)}: its example is not what its schema says`);
      else if (row.least !== "signed") wrong.push(...(await tryRoute(opened.url, named, row, { callers, example })));
    }
    const known = new Set([...listRoutes(), ...listMissingRoutes()].map(({ route }) => nameOf(route)));
    for (const name of table.keys()) if (!known.has(name)) wrong.push(`${name}: in access.tsv, but no route`);
    assert.deepEqual(wrong, []);
  });

  it("is asked of every route that answers: none is answered without standing in the tables of #api", async () => {
    const { platform } = await openTestServer();
    const whole = await platform.whole();
    const answered = [...platform.mlflowCalls(), ...whole.servingCalls, ...whole.monitoringCalls].map(
      ({ route }) => route,
    );
    const listed = [...listRoutes(), ...listMissingRoutes()].map(({ route }) => route);
    const surfaces = new Set(answered.map(({ surface }) => surface));
    assert.deepEqual(
      listed.filter((route) => surfaces.has(route.surface) && !answered.includes(route)).map(nameOf),
      [],
      "not answered",
    );
    assert.deepEqual(answered.filter((route) => !listed.includes(route)).map(nameOf), [], "not listed");
  });

  it("is decided for every route, or the server does not start", async () => {
    const facts = { surface: "operations", method: "GET", summary: "", errors: "esteira" } as const;
    const guard = { project: "p", identify: () => Promise.reject(new Error("nobody")) };
    const mount = (route: object): void =>
      mountRoutes(Fastify(), [{ route: { ...facts, ...route } as Route, answer: async () => "" }], guard);
    mount({ path: "/named", action: "read", resource: "project" });
    mount({ path: "/open", action: { open: "for this test" }, resource: "project" });
    for (const route of [
      { path: "/no-action", resource: "project" },
      { path: "/no-resource", action: "read" },
      { path: "/unknown-action", action: "write", resource: "project" },
      { path: "/open-without-reason", action: { open: "" }, resource: "project" },
    ])
      assert.throws(
        () => mount(route),
        (error) => isEsteiraError(error, "SERVER_ROUTE_UNGUARDED"),
        route.path,
      );
    const server = Fastify();
    refuseUnguardedRoutes(server);
    server.get("/page", { config: { open: "for this test" } }, async () => "");
    assert.throws(
      () => server.get("/forgotten", async () => ""),
      (error) => isEsteiraError(error, "SERVER_ROUTE_UNGUARDED"),
    );
    await server.close();
  });

  it("a token is limited to one of the actions that tokens may be limited to, and needs a role behind it", async () => {
    const opened = await openTestServer();
    const { access } = opened.platform;
    await access.createUser({ name: "ana", actor: "root" });
    await access.createUser({ name: "shop", roles: [{ project: "p", role: "viewer" }], actor: "root" });
    await assert.rejects(access.createToken({ user: "shop", label: "", only: "administer", actor: "ana" }), (error) =>
      isEsteiraError(error, "ACCESS_ACTION_INVALID"),
    );
    const { token } = await access.createToken({ user: "shop", label: "", only: "predict", actor: "ana" });
    const ask = async (): Promise<number> =>
      (
        await post(
          opened.url,
          "/endpoints/production/delay/predict",
          { authorization: `Bearer ${token}` },
          { rows: [] },
        )
      ).status;
    assert.equal(await ask(), 404);
    await access.grant({ user: "shop", project: "p", role: undefined, actor: "ana" });
    assert.equal(await ask(), 403);
  });

  it("a viewer has no action that changes anything, and every role has what the one below it has", () => {
    const ofViewers = ACTIONS.filter((action) => ROLES_OF_ACTION[action].includes("viewer"));
    assert.deepEqual(ofViewers, ["read", "describe"]);
    for (const action of ACTIONS) {
      const least = ROLES.findIndex((role) => ROLES_OF_ACTION[action].includes(role));
      assert.deepEqual(ROLES_OF_ACTION[action], ROLES.slice(least), action);
    }
  });
});
