/**
 * Writes, labels, moves and reads predictions without end, several at a time. Prints what is durable, a line each:
 * `P id entity`, `L id label`; and `!` with what is wrong as soon as a read leaves out what was durable before it.
 * Arguments: store address, folder, number of the process.
 */
import { join } from "node:path";
import { newId, silentLog } from "#base";
import { createAnalytics } from "#data";
import { openMetadataStore } from "#metadata-store";
import { recordPredictions } from "#metadata-store/serving";
import { createPredictions } from "#predictions";
import { createFileSystemFiles } from "#storage";

const [address = "", folder = "", number = ""] = process.argv.slice(2);
const KEY = { project: "p", environment: "production", endpoint: "delay" } as const;
const store = await openMetadataStore(address);
const predictions = createPredictions({
  store,
  analytics: createAnalytics({ folder: join(folder, `spill-${number}`), threads: 1, memoryBytes: 256 << 20 }),
  files: createFileSystemFiles({ root: join(folder, "tables"), allowsLinks: true }),
  log: silentLog,
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
/** Written by this process and not labelled by it. */
const unlabelled: { readonly id: string; readonly entityKey: string }[] = [];
const durable = new Map<string, number>();
const labelled = new Map<string, number>();

async function write(): Promise<void> {
  for (let batch = 0; ; batch++) {
    const rows = Array.from({ length: 5 }, (_, row) => ({
      ...KEY,
      id: newId(),
      modelVersionId: "m",
      arm: "stable" as const,
      atMs: Date.now() - (batch % 3) * 86_400_000,
      receivedAtMs: Date.now(),
      requestId: `${batch}`,
      features: JSON.stringify({ distance: batch, row }),
      context: undefined,
      prediction: 0.5,
      predictionText: undefined,
      entityKey: `${number}-${process.pid}-${batch}-${row}`,
    }));
    await store.write((transaction) => recordPredictions(transaction, rows));
    for (const { id, entityKey, atMs } of rows) {
      durable.set(id, atMs);
      unlabelled.push({ id, entityKey });
      say(`P ${id} ${entityKey}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function label(): Promise<void> {
  for (let value = 1; ; value++) {
    // Of what was just written, and of what left the database long ago.
    const taken = value % 2 === 0 ? unlabelled.splice(0, 3) : unlabelled.splice(-2, 2);
    if (taken.length > 0) {
      const { unmatched, repeated } = await predictions.recordLabels({
        ...KEY,
        labels: taken.map(({ id, entityKey }, place) =>
          place % 2 === 0 ? { id, label: value } : { entityKey, label: value },
        ),
        receivedAtMs: Date.now(),
        actor: "ana",
      });
      if (unmatched + repeated > 0) say(`! ${unmatched} labels found nothing, ${repeated} were known`);
      for (const { id } of taken) {
        labelled.set(id, value);
        say(`L ${id} ${value}`);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 7));
  }
}

async function move(): Promise<void> {
  for (;;) {
    await predictions.move({ project: "p", ageMs: 0, signal: new AbortController().signal });
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

async function read(): Promise<void> {
  for (;;) {
    const before = new Map([...durable].slice(-300));
    const labels = new Map(labelled);
    const seen = new Map<string, number | null>();
    for await (const part of predictions.scan({ ...KEY, fromMs: 0, toMs: Date.now() + 1000 }))
      for (const row of part) {
        if (seen.has(row.id)) say(`! a scan has ${row.id} twice`);
        seen.set(row.id, row.label);
      }
    for (const id of before.keys()) {
      if (!seen.has(id)) say(`! a scan leaves out ${id}`);
      else if (labels.has(id) && seen.get(id) !== labels.get(id)) say(`! a scan leaves out the label of ${id}`);
    }
    const wanted = [...durable].slice(-20);
    const listed = await predictions.list({ ...KEY, limit: 1000 });
    const ids = new Set(listed.map(({ id }) => id));
    if (ids.size !== listed.length) say("! a list has one twice");
    const oldest = listed.length < 1000 ? -Infinity : (listed.at(-1)?.atMs ?? -Infinity);
    for (const [id, atMs] of wanted) if (atMs > oldest && !ids.has(id)) say(`! a list leaves out ${id}`);
    const [asked] = wanted;
    if (asked !== undefined && (await predictions.get(asked[0])) === undefined) say(`! ${asked[0]} is not found`);
  }
}

process.on("unhandledRejection", (error) => {
  say(`! ${String(error)} ${error instanceof Error ? (error.stack ?? "") : ""}`.replaceAll("\n", " | "));
  process.exit(1);
});
await Promise.all([write(), label(), move(), read()]);
