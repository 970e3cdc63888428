import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { describe, it } from "node:test";
import { isEsteiraError, systemClock } from "#base";
import { type CaptureDeclaration, createEventBuffer, type EventBuffer, pushSettingsOf } from "#data";
import { storeKinds } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

const CONTRACT = `apiVersion: v3.1.0
kind: DataContract
id: clicks
version: 1.0.0
status: active
schema:
  - name: d
    properties:
      - { name: id, logicalType: integer, required: true }
      - { name: amount, logicalType: number, logicalTypeOptions: { minimum: 0 } }
`;

interface Pushing {
  readonly project: DataProject;
  readonly events: EventBuffer;
  readonly declaration: CaptureDeclaration;
  push(body: unknown, key?: string): ReturnType<EventBuffer["accept"]>;
}

async function open(
  kind: (typeof storeKinds)[number],
  push: NonNullable<CaptureDeclaration["capture"]["push"]> = {},
  more: Omit<CaptureDeclaration, "capture"> = {},
): Promise<Pushing> {
  const project = await openDataProject(kind);
  const declaration = { capture: { push }, ...more };
  const settings = pushSettingsOf(declaration);
  assert.ok(settings);
  const events = createEventBuffer({ store: project.store, clock: systemClock, project: "p" });
  return {
    project,
    events,
    declaration,
    push: (body, key) =>
      events.accept({
        dataset: "d",
        settings,
        body: Buffer.isBuffer(body) ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
        idempotencyKey: key,
        actor: "ana",
      }),
  };
}

const refused = (promise: Promise<unknown>, code: string, text = /./): Promise<void> =>
  assert.rejects(promise, (error) => isEsteiraError(error, code) && text.test(error.message));

for (const kind of storeKinds)
  describe(`pushed events (${kind})`, () => {
    it("of several datasets are kept together, or none of them", async () => {
      const { events, declaration } = await open(kind);
      const settings = pushSettingsOf(declaration);
      assert.ok(settings);
      const requests = (key: string, id: number): Parameters<EventBuffer["acceptAll"]>[0] =>
        ["d", "e"].map((dataset) => ({
          dataset,
          settings,
          body: Buffer.from(JSON.stringify({ id: dataset === "d" ? 1 : id })),
          idempotencyKey: `${key}-${dataset}`,
          actor: "ana",
        }));
      const waiting = async (): Promise<readonly number[]> =>
        (await Promise.all(["d", "e"].map((dataset) => events.waiting(dataset)))).map((each) => each.events);
      assert.deepEqual(
        (await events.acceptAll(requests("one", 1), async () => {})).map(({ accepted }) => accepted),
        [1, 1],
      );
      const [, reused] = requests("one", 2);
      const [other] = requests("two", 2);
      assert.ok(other && reused);
      await refused(
        events.acceptAll([other, reused], async () => {}),
        "DATA_PUSH_KEY_REUSED",
      );
      assert.deepEqual(await waiting(), [1, 1]);
      await assert.rejects(
        events.acceptAll(requests("three", 3), () => Promise.reject(new Error("no"))),
        /no/,
      );
      assert.deepEqual(await waiting(), [1, 1]);
    });

    it("become one version with the next run, each once, and nothing is taken twice", async () => {
      const { project, push, declaration, events } = await open(kind);
      assert.deepEqual(await push('{"id": 1, "at": "2026-01-05T10:00:00Z"}\n\n{"id": 9007199254740993}\n'), {
        accepted: 2,
        duplicates: 0,
        replayed: false,
      });
      await push([{ id: 3 }, { id: 4, name: 'a,]"}\\' }]);
      assert.equal(await project.preview(project.capture, declaration, "d"), "4 events wait, of 2 requests");
      const { versions } = await project.runCapture(declaration);
      const rows = await project.rows(versions[0], "select cast(id as varchar) as id from d order by id");
      assert.deepEqual(
        rows.map(({ id }) => id),
        ["1", "3", "4", "9007199254740993"],
      );
      assert.equal((await events.waiting("d")).events, 0);
      const again = await project.runCapture(declaration);
      assert.equal(again.versions[0]?.version, 1);
      await push({ id: 5 });
      const next = await project.runCapture(declaration);
      assert.deepEqual([next.versions[0]?.version, next.versions[0]?.rowCount], [2, 5]);
    });

    it("of which one says the same as another are left out where the contract says so, and none waits on", async () => {
      const { project, push, declaration, events } = await open(kind, {}, { contract: "c.yaml" });
      const treated = "customProperties: [{ property: treatment, value: { deduplicate: { by: id, order: amount } } }]";
      await project.write("c.yaml", CONTRACT.replace("    properties:", `    ${treated}\n    properties:`));
      await push([
        { id: 1, amount: 5 },
        { id: 1, amount: 2 },
        { id: 2, amount: -1 },
      ]);
      await push([{ id: 1, amount: 3 }]);
      const { versions, outcome } = await project.runCapture(declaration);
      assert.deepEqual(await project.rows(versions[0], "select id::int as id, amount from d"), [{ id: 1, amount: 5 }]);
      const { published, quarantined, duplicates } = outcome.facts ?? {};
      assert.deepEqual([published, quarantined, duplicates], [1, 1, 2]);
      assert.equal((await events.waiting("d")).events, 0);
    });

    it("a request that is sent again under its key is kept once, also when both come at the same time", async () => {
      const { push, events } = await open(kind);
      const answers = await Promise.all(Array.from({ length: 8 }, () => push([{ id: 1 }, { id: 2 }], "k")));
      assert.equal(answers.filter(({ replayed }) => !replayed).length, 1);
      assert.ok(answers.every(({ accepted }) => accepted === 2));
      assert.equal((await events.waiting("d")).events, 2);
      await refused(push([{ id: 3 }], "k"), "DATA_PUSH_KEY_REUSED");
      await refused(push([{ id: 3 }], ""), "DATA_PUSH_KEY_INVALID");
    });

    it("events with an id that came before are no new ones, within a request, across requests and after a run", async () => {
      const { project, push, declaration, events } = await open(kind, { id: "meta.id" });
      const event = (id: unknown): object => ({ meta: { id } });
      assert.deepEqual(await push([event("a"), event("a"), event(1), event("1")]), {
        accepted: 3,
        duplicates: 1,
        replayed: false,
      });
      await project.runCapture(declaration);
      const many = await Promise.all([push([event("b"), event("a")]), push([event("a"), event("b"), event("c")])]);
      assert.equal(
        many.reduce((sum, { accepted }) => sum + accepted, 0),
        2,
      );
      assert.equal((await events.waiting("d")).events, 2);
      await refused(push([event("d"), event(null)]), "DATA_EVENT_ID_MISSING", /Event 2 .*meta\.id/);
      assert.equal((await events.waiting("d")).events, 2, "nothing of a refused request is kept");
    });

    it("what the contract does not allow goes to the quarantine row by row, whatever its share", async () => {
      const { project, push, declaration, events } = await open(kind, {}, { contract: "c.yaml" });
      await project.write("c.yaml", CONTRACT);
      await push([{ id: "x", amount: 1 }, { id: "y" }, { id: "z", amount: -1 }]);
      const first = await project.runCapture(declaration);
      assert.deepEqual([first.versions[0]?.version, first.versions[0]?.rowCount], [1, 0]);
      assert.equal((await project.batches())[0]?.held, 3);
      await push([
        { id: 1, amount: 2.5 },
        { id: 2, amount: -4 },
      ]);
      const { versions } = await project.runCapture(declaration);
      assert.deepEqual(await project.rows(versions[0], "select id, amount from d"), [{ id: 1, amount: 2.5 }]);
      assert.equal(
        (await project.batches()).reduce((sum, { held }) => sum + held, 0),
        4,
      );
      assert.equal((await events.waiting("d")).events, 0);
    });

    it("beyond a limit of the quarantine the run fails and the events wait", async () => {
      const { project, push, declaration, events } = await open(
        kind,
        {},
        { contract: "c.yaml", quarantine: { max_rows: 1 } },
      );
      await project.write("c.yaml", CONTRACT);
      await push([{ id: "x" }, { id: "y" }, { id: 1 }]);
      await refused(project.runCapture(declaration), "DATA_CONTRACT_BROKEN");
      assert.equal((await events.waiting("d")).events, 3);
      assert.equal((await project.batches()).length, 0);
      await project.write("c.yaml", CONTRACT.replace("logicalType: integer", "logicalType: string"));
      const { versions } = await project.runCapture(declaration);
      assert.equal(versions[0]?.rowCount, 3);
    });

    it("are merged by a key: the last of several stays, one without a key is held, and the count adds up", async () => {
      const { project, push, declaration } = await open(kind, {}, { write: { merge: ["id"], duplicates: "last" } });
      await push([{ id: 1, v: "a" }, { id: 2, v: "b" }, { id: 1, v: "c" }, { id: null, v: "d" }, { v: "e" }]);
      const first = await project.runCapture(declaration);
      const rows = async (version: (typeof first.versions)[number] | undefined): Promise<unknown> =>
        project.rows(version, "select id::int as id, v from d order by id");
      assert.deepEqual(await rows(first.versions[0]), [
        { id: 1, v: "c" },
        { id: 2, v: "b" },
      ]);
      assert.equal((await project.batches())[0]?.rules["key:id"], 2);
      await push([
        { id: 3, v: "f" },
        { id: 2, v: "g" },
      ]);
      await push([
        { id: 2, v: "h" },
        { id: 3, v: "i" },
        { id: 2, v: null },
      ]);
      const { versions, outcome } = await project.runCapture(declaration);
      assert.deepEqual(await rows(versions[0]), [
        { id: 1, v: "c" },
        { id: 2, v: null },
        { id: 3, v: "i" },
      ]);
      assert.equal(versions[0]?.rowCount, 3);
      assert.equal(outcome.facts?.["read"], 5);
      const strict = { ...declaration, write: { merge: ["id"] } };
      await push([{ id: 9 }, { id: 9 }]);
      await refused(project.runCapture(strict), "DATA_MERGE_KEY_INVALID", /same key/);
    });

    it("two runs at once publish each event once: the second takes nothing", async () => {
      const { project, push, declaration } = await open(kind);
      await push([{ id: 1 }, { id: 2 }]);
      const one = await project.attempt(project.capture, declaration, "run-a", "d");
      await push([{ id: 3 }]);
      await project.record(one);
      const [other] = (await project.runCapture(declaration)).versions;
      assert.equal(other?.rowCount, 3);
      await push([{ id: 4 }]);
      const late = await project.attempt(project.capture, declaration, "run-b", "d");
      const events = await project.store.read((transaction) =>
        transaction.selectFrom("pushed_batch").select("id").where("payload", "is not", null).execute(),
      );
      await project.store.write((transaction) =>
        transaction
          .updateTable("pushed_batch")
          .set({ payload: null })
          .where("id", "=", events[0]?.id ?? "")
          .execute(),
      );
      await refused(project.record(late), "DATA_PUSHED_EVENTS_TAKEN");
    });
  });

describe("a request with events", () => {
  it("is taken whole or not at all, and says which line cannot be", async () => {
    const { push, events } = await open("sqlite");
    const invalid = (body: unknown, text: RegExp): Promise<void> => refused(push(body), "DATA_EVENTS_INVALID", text);
    await invalid("", /it is empty/);
    await invalid("  \n ", /it is empty/);
    await invalid("[]", /holds no event/);
    await invalid('{"id": 1}\n[1]\n', /line 2: it is no JSON object/);
    await invalid('{"id": 1}\n{"id": NaN}\n', /line 2: it is no JSON/);
    await invalid('[{"id": 1}, 2]', /event 2: it is no JSON object/);
    await invalid('[{"id": 1}', /the body: it is no JSON/);
    await invalid(Buffer.from([0x7b, 0xff, 0x7d]), /no UTF-8/);
    await invalid(gzipSync("{}"), /no UTF-8/);
    await invalid(`{"a": ${"[".repeat(5000)}${"]".repeat(5000)}}`, /./);
    await invalid(`{"a": "${"x".repeat(2 ** 20)}"}`, /larger than/);
    assert.equal((await events.waiting("d")).events, 0);
    assert.equal((await push('\uFEFF{\n  "id": 1,\r\n  "x": "ação 🎉"\n}\n')).accepted, 1);
    assert.equal((await push('[\n{"id": 2, "x": ["]", {"y": "\\"}"}]},\n {"id": 3}\n]')).accepted, 2);
  });

  it("is refused when too many events wait, until a run has taken them", async () => {
    const { project, push, declaration } = await open("sqlite", { backlog: 2 });
    await push([{ id: 1 }, { id: 2 }]);
    await refused(push({ id: 3 }), "DATA_PUSH_BACKLOG_FULL", /2 events wait .* at most 2 events/);
    await project.runCapture(declaration);
  });

  it("needs a declaration that can act, and events or a contract before the first version", async () => {
    const { project } = await open("sqlite");
    const problems = async (declaration: CaptureDeclaration): Promise<string> =>
      (await project.analyse(project.capture, declaration, "d")).problems.map(({ message }) => message).join();
    assert.equal(await problems({ capture: { push: {} } }), "");
    assert.match(await problems({ capture: { push: {} }, write: "replace" }), /only the events/);
    assert.match(await problems({ capture: { push: {}, allow_empty: true } }), /never a failure/);
    assert.match(await problems({ capture: { push: {}, files: "x.csv" } }), /one source/);
    assert.match(await problems({ capture: { push: {}, version_per: "file" } }), /about files/);
    await refused(project.runCapture({ capture: { push: {} } }), "DATA_PUSH_NO_EVENTS");
    await project.write("c.yaml", CONTRACT);
    const { versions } = await project.runCapture({ capture: { push: {} }, contract: "c.yaml" });
    assert.equal(versions[0]?.rowCount, 0);
  });

  it("says which row of a key stays, and a query says it itself", async () => {
    const { project } = await open("sqlite");
    await project.write("m.sql", "select 1 as id");
    const { problems } = await project.analyse(
      project.sql,
      { sql: "m.sql", write: { merge: ["id"], duplicates: "last" } },
      "m",
    );
    assert.match(problems.map(({ message }) => message).join(), /no order in which one is the last/);
  });

  it("of the same id long ago is a new one: ids are remembered as long as the declaration says", async () => {
    const { project, push, declaration } = await open("sqlite", { id: "id", remember: "1s" });
    await push([{ id: 1 }], "k");
    await project.runCapture(declaration);
    await project.store.write(async (transaction) => {
      await transaction.updateTable("pushed_event").set({ received_at_ms: 1 }).execute();
      await transaction.updateTable("pushed_batch").set({ received_at_ms: 1 }).execute();
    });
    await push([{ id: 2 }]);
    await project.runCapture(declaration);
    assert.deepEqual(await push([{ id: 1 }], "k"), { accepted: 1, duplicates: 0, replayed: false });
  });

  it("makes a run due by its age, by what waits, and again a while after a run that took nothing", async () => {
    const { project, declaration } = await open("sqlite", { every: "30s", rows: 10 });
    const settings = pushSettingsOf(declaration);
    assert.ok(settings);
    const buffer = createEventBuffer({
      store: project.store,
      clock: { ...systemClock, now: () => 100_000 },
      project: "p",
    });
    const waiting = { batches: 1, events: 1, sizeBytes: 10, oldestAtMs: 99_000, askedAtMs: undefined };
    assert.equal(buffer.isDue(settings, waiting), false);
    assert.equal(buffer.isDue(settings, { ...waiting, oldestAtMs: 70_000 }), true);
    assert.equal(buffer.isDue(settings, { ...waiting, events: 10 }), true);
    assert.equal(buffer.isDue(settings, { ...waiting, events: 10, askedAtMs: 50_000 }), false);
    assert.equal(buffer.isDue(settings, { ...waiting, events: 10, askedAtMs: 40_000 }), true);
    assert.equal(buffer.isDue(settings, { ...waiting, events: 0 }), false);
    await project.store.write(async (transaction) => {
      assert.equal(await buffer.ask(transaction, "d", waiting), true);
      assert.equal(await buffer.ask(transaction, "d", waiting), false, "another process has asked");
      assert.equal(await buffer.ask(transaction, "d", { ...waiting, askedAtMs: 100_000 }), true);
    });
  });
});
