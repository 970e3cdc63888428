// A server that is killed while events are pushed and taken: what was answered is there, and each event once.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { startServer, type StartedServer } from "../setup/started-server.ts";
import { createPostgresSchema, storeKinds, temporaryFolder } from "../setup/stores.ts";

const ROUNDS = 6;
const CLIENTS = 4;
const PER_REQUEST = 20;

const CONTRACT = `apiVersion: v3.1.0
kind: DataContract
id: clicks
version: 1.0.0
status: active
schema:
  - name: clicks
    properties:
      - { name: id, logicalType: integer, required: true }
      - { name: amount, logicalType: number, logicalTypeOptions: { minimum: 0 } }
`;

async function makeProject(kind: (typeof storeKinds)[number]): Promise<string> {
  const folder = await temporaryFolder();
  const metadata = kind === "postgres" ? `store: { metadata: ${JSON.stringify(await createPostgresSchema())} }\n` : "";
  await mkdir(join(folder, "pipelines"));
  await mkdir(join(folder, "contracts"));
  await writeFile(join(folder, "esteira.yaml"), `name: p\naccess: { loopback: contributor }\n${metadata}`);
  await writeFile(join(folder, "contracts/clicks.yaml"), CONTRACT);
  await writeFile(
    join(folder, "pipelines/clicks.yaml"),
    `steps:
  clicks:
    capture: { push: { every: 1s, rows: 200, id: id } }
    contract: contracts/clicks.yaml
    retry: 3
`,
  );
  return folder;
}

/** Sends until it is told to stop; what was not answered is sent again under the same key, to the next server. */
interface Sender {
  readonly answered: Set<number>;
  pending: { readonly key: string; readonly ids: readonly number[] } | undefined;
}

async function sendUntil(
  sender: Sender,
  url: string,
  of: { readonly isOver: () => boolean; readonly next: () => number },
): Promise<void> {
  while (!of.isOver()) {
    sender.pending ??= {
      key: crypto.randomUUID(),
      ids: Array.from({ length: PER_REQUEST }, () => of.next()),
    };
    const { key, ids } = sender.pending;
    // Every tenth breaks the contract, and goes to the quarantine.
    const body = ids.map((id) => JSON.stringify({ id, amount: id % 10 === 0 ? -1 : id })).join("\n");
    const answer = await fetch(`${url}/api/v1/datasets/clicks/events`, {
      method: "POST",
      headers: { "idempotency-key": key, "content-type": "application/x-ndjson" },
      body,
    }).catch(() => undefined);
    if (answer === undefined) {
      await delay(20);
      continue;
    }
    const text = await answer.text().catch(() => undefined);
    if (text === undefined) continue;
    assert.equal(answer.status, 200, text);
    for (const id of ids) sender.answered.add(id);
    sender.pending = undefined;
  }
}

async function kill({ child }: StartedServer): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

for (const kind of storeKinds)
  describe(`a server that is killed while events come (${kind})`, () => {
    it("has kept every event that it answered, and makes each one row or one held row", async () => {
      const folder = await makeProject(kind);
      const senders = Array.from({ length: CLIENTS }, (): Sender => ({ answered: new Set(), pending: undefined }));
      let last = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const server = await startServer(folder);
        let over = false;
        const sending = senders.map((sender) =>
          sendUntil(sender, server.url, { isOver: () => over, next: () => ++last }),
        );
        // At another moment each time: while requests are written, a run is started, or a version is made.
        await delay(1200 + 350 * round);
        await kill(server);
        over = true;
        await Promise.all(sending);
      }
      const server = await startServer(folder);
      // What was under way is sent once more, as a client does.
      for (const sender of senders)
        if (sender.pending !== undefined)
          await sendUntil(sender, server.url, { isOver: () => sender.pending === undefined, next: () => 0 });
      await server.stop();
      const answered = senders.flatMap((sender) => [...sender.answered]).sort((left, right) => left - right);
      assert.equal(answered.length, last, "every event was answered in the end");
      const run = await runEsteira(folder, ["run", "clicks"]);
      assert.equal(run.code, 0, run.stdout + run.stderr);
      const counted = await runEsteira(folder, [
        "query",
        "select count(*) as n, count(distinct id) as ids, min(id) as first, max(id) as last from clicks",
        "--json",
      ]);
      const { rows } = JSON.parse(counted.stdout) as { rows: readonly (readonly number[])[] };
      const good = answered.filter((id) => id % 10 !== 0);
      assert.deepEqual(rows[0]?.map(Number), [good.length, good.length, good[0], good.at(-1)]);
      const shown = await runEsteira(folder, ["dataset", "list", "--json"]);
      assert.match(shown.stdout, new RegExp(`"quarantined(Count)?": ?${answered.length - good.length}\\b`));
    });
  });
