/**
 * What the signed event log costs those who write: processor time of changes that each append an event (grants, tokens,
 * model versions and aliases, runs), with the log taking and signing them and without, round about. Target: at most 5 %
 * more. Also how long `audit verify` takes for all of them. Usage: node bench/audit.ts [--rounds 9] [--changes 2000].
 * Prints one JSON line.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createAccess } from "#access";
import { silentLog, systemClock } from "#base";
import { checkpointFileOf, createAuditLog, readCheckpointSource, readVerifierKey, verifyAudit } from "#governance";
import { type MetadataStore, openMetadataStore } from "#metadata-store";
import { createModelVersion, createRegisteredModel, setRegisteredModelAlias } from "#metadata-store/registry";
import { createTracking } from "#tracking";
import { type Cost, costOf } from "./capture-project.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "9" }, changes: { type: "string", default: "2000" } },
});
const [rounds, changes] = [Number(values.rounds), Number(values.changes)];
const TOGETHER = 100;

interface Bench {
  readonly folder: string;
  readonly store: MetadataStore;
  readonly change: (index: number) => Promise<unknown>;
}

async function open(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-bench-"));
  const store = await openMetadataStore(join(folder, "metadata.sqlite"));
  const access = createAccess({ store, clock: systemClock, localUser: "ana", loopbackRole: undefined });
  const tracking = createTracking({ store, clock: systemClock, artifactRoot: "mlflow-artifacts:/" });
  await access.createUser({ name: "ana", actor: "ana" });
  await access.createUser({ name: "bea", actor: "ana" });
  const model = { name: "delay", actor: "ana" };
  await store.write((transaction) =>
    createRegisteredModel(transaction, { ...model, project: "p", atMs: Date.now(), tags: [] }),
  );
  const kinds = [
    (index: number) => access.grant({ user: "bea", project: `p${index}`, role: "viewer", actor: "ana" }),
    () => access.createToken({ user: "bea", label: "bench", actor: "ana" }),
    () =>
      store.write(async (transaction) => {
        const { version } = await createModelVersion(transaction, {
          ...model,
          atMs: Date.now(),
          source: "s3://bucket/model",
          storageLocation: "s3://bucket/model",
          tags: [],
        });
        await setRegisteredModelAlias(transaction, { ...model, alias: "champion", version, atMs: Date.now() });
      }),
    async (index: number) => {
      const id = `${index}`;
      const { runId } = await tracking.openRun({
        project: "p",
        pipeline: "delay",
        step: "train",
        stepRunId: id,
        pipelineRunId: id,
        attemptId: id,
        actor: "ana",
        inputs: [],
        params: { depth: 6, rate: 0.1 },
      });
      await tracking.closeRun(runId, "FINISHED");
    },
  ];
  return { folder, store, change: async (index) => kinds[index % kinds.length]?.(index) };
}

async function writeAll({ change }: Bench, from: number): Promise<void> {
  for (let done = 0; done < changes; done += TOGETHER)
    await Promise.all(Array.from({ length: TOGETHER }, (_, index) => change(from + done + index)));
}

const [plain, logged] = [await open(), await open()];
const log = createAuditLog({
  store: logged.store,
  storeFolder: logged.folder,
  origin: "esteira/bench",
  clock: systemClock,
  log: silentLog,
});
const [without, within]: [Cost[], Cost[]] = [[], []];
for (let round = 0; round <= rounds; round++) {
  const from = round * changes;
  const runPlain = async (): Promise<Cost> => costOf(() => writeAll(plain, from));
  const runLogged = async (): Promise<Cost> =>
    costOf(async () => {
      await writeAll(logged, from);
      await log.seal();
    });
  const [one, two] =
    round % 2 === 0 ? [await runPlain(), await runLogged()].toReversed() : [await runLogged(), await runPlain()];
  // The first round warms both up.
  if (round === 0 || one === undefined || two === undefined) continue;
  within.push(one);
  without.push(two);
}
const sum = (costs: readonly Cost[]): number =>
  costs.reduce((total, { processorSeconds }) => total + processorSeconds, 0);
const source = await readCheckpointSource(checkpointFileOf(logged.folder));
let events = 0;
const verifying = await costOf(async () => {
  const verified = await verifyAudit(logged.store, {
    sources: [source],
    currentKey: (origin) => readVerifierKey({ storeFolder: logged.folder }, origin),
  });
  if (verified.log.count > 0 || verified.rows.findings.length > 0) throw new Error(JSON.stringify(verified));
  events = verified.log.size;
});
process.stdout.write(
  `${JSON.stringify({
    bench: "audit",
    changes: rounds * changes,
    events,
    withoutLog: sum(without),
    withLog: sum(within),
    overhead: sum(within) / sum(without) - 1,
    verifySeconds: verifying.seconds,
    verifyEventsPerSecond: events / verifying.seconds,
  })}\n`,
);
await log.close();
for (const { store, folder } of [plain, logged]) {
  await store.close();
  await rm(folder, { recursive: true, force: true });
}
