// Kills engines, their watchers and fork servers, processes of steps and connections at random moments of runs on two
// engines: KILLS=40 for fewer, CRASH_SEED=… for the same choices; the moments still depend on the machine.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { followLog, getPipelineRun, getStepRun, listPipelineRuns } from "#engine";
import { type MetadataStore, openMetadataStore } from "#metadata-store";
import { createFileSystemBlobs } from "#storage";
import { endProcessesOf, listProcessesOf, runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { runSql } from "../setup/run-sql.ts";
import { createPostgresDatabase, describeStores, temporaryFolder } from "../setup/stores.ts";

const KILLS = Number(process.env["KILLS"] ?? 200);
const KILLS_PER_RUN = 8;
const SEED = Number(process.env["CRASH_SEED"] ?? Date.now() % 1_000_000);
const LINES = 8;
const LONGEST_MS = 180_000;
const VICTIMS = ["engine", "watcher", "fork server", "step", "connection"] as const;
type Victim = (typeof VICTIMS)[number];

/** mulberry32 */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Notes its begin and end with its process, and says numbered lines between. */
const SCRIPT = `name="$1.$ESTEIRA_ITEM.$ESTEIRA_PIPELINE_RUN"
echo "begin $name $$" >> "$2/trace"
line=0
while [ $line -lt ${LINES} ]; do echo "line $line"; line=$((line + 1)); sleep 0.08; done
echo "end $name $$" >> "$2/trace"
`;

function pipeline(folder: string): string {
  const command = (name: string, rest = ""): string =>
    `${name}: { run: ["sh", "say.sh", "${name}", "${folder}"], files: [say.sh], cache: false, retry: { times: 90, delay: 0 }${rest} }`;
  return `steps:
  rides: { capture: { files: rides.csv } }
  daily: { sql: daily.sql }
  ${command("first")}
  ${command("left", ", needs: [first], pool: narrow")}
  ${command("middle", ", needs: [first], pool: narrow")}
  ${command("right", ", needs: [first]")}
  list: { run: 'echo "l=[0,1,2,3]" >> "$ESTEIRA_OUTPUT"', retry: { times: 90, delay: 0 } }
  ${command("each", ", for_each: '${{ steps.list.outputs.l }}', max_parallel: 2, needs: [left, middle, right], pool: narrow")}
  kept: { run: "mkdir -p dist; echo kept > dist/kept.txt", retry: { times: 90, delay: 0 }, makes: { code: dist } }
finally:
  ${command("last")}
`;
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly isOfStep: boolean;
}

async function listProcesses(): Promise<readonly Process[]> {
  const found: Process[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const read = (file: string): Promise<string> => readFile(join("/proc", pid, file), "latin1").catch(() => "");
    const [command, environment, stat] = await Promise.all([read("cmdline"), read("environ"), read("stat")]);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (stat === "" || fields[0] === "Z") continue;
    const isOfStep = environment.includes("ESTEIRA_ATTEMPT_ID=");
    found.push({ pid: Number(pid), parent: Number(fields[1]), command, isOfStep });
  }
  return found;
}

/** Everything that has one of these among its parents, and these. */
function familyOf(processes: readonly Process[], pids: readonly number[]): readonly Process[] {
  const family = new Set(pids);
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
  }
  return processes.filter(({ pid }) => family.has(pid));
}

const WHO: Readonly<Record<Exclude<Victim, "connection" | "engine">, (one: Process) => boolean>> = {
  watcher: ({ command }) => command.includes("esteira-supervisor"),
  "fork server": ({ command }) => command.includes("_processes.py"),
  step: ({ isOfStep }) => isOfStep,
};

interface Engine {
  readonly url: string;
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
}

async function startEngine(folder: string): Promise<Engine> {
  const { child, ended } = startEsteira(folder, ["up", "--port", "0", "--json"]);
  const url = await new Promise<string>((found, failed) => {
    let said = "";
    child.stdout?.on("data", (piece: Buffer) => {
      said += piece.toString();
      const listening = /"url":"([^"]+)"/.exec(said)?.[1];
      if (listening !== undefined) found(listening);
    });
    void ended.then(({ stdout, stderr }) => failed(new Error(`the engine ended: ${stdout}${stderr}`)), failed);
  });
  return { url, child, ended };
}

const isUp = ({ child }: Engine): boolean => child.exitCode === null && child.signalCode === null;

/** An earlier process of a step that still writes after a later one began has run beside it. */
function findOverlaps(trace: string): readonly string[] {
  const newest = new Map<string, string>();
  const overlaps: string[] = [];
  for (const line of trace.trim().split("\n")) {
    const [what, step = "", pid = ""] = line.split(" ");
    if (what === "begin") newest.set(step, pid);
    else if (newest.get(step) !== pid) overlaps.push(line);
  }
  return overlaps;
}

const ALL_LINES = Array.from({ length: LINES }, (_, line) => `line ${line}\n`).join("");

/** What must be the same however often something was killed; what must never be is asserted. */
async function readEnd(store: MetadataStore, folder: string, id: string): Promise<readonly string[]> {
  const { stepRuns } = await getPipelineRun(store, id);
  const objects = createFileSystemBlobs(join(folder, ".esteira/objects"));
  for (const { id: stepRunId, step, reason } of stepRuns) {
    const { attempts } = await getStepRun(store, stepRunId);
    const statuses = attempts.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === "succeeded").length, 1, `${step}: ${statuses.join()}`);
    assert.equal(statuses.at(-1), "succeeded", `${step}: ${statuses.join()}`);
    const isList = reason?.startsWith("it listed") === true;
    if (isList || !/^(first|left|middle|right|each|last)$/.test(step)) continue;
    const texts = new Map<number, string>();
    for await (const { attempt, stream, text } of followLog({ store, objects }, { stepRunId }))
      if (stream === "stdout") texts.set(attempt, (texts.get(attempt) ?? "") + text);
    for (const { number } of attempts) {
      const text = texts.get(number) ?? "";
      assert.ok(ALL_LINES.startsWith(text), `attempt ${number} of ${step} has other lines: ${text}`);
      if (number === attempts.length) assert.equal(text, ALL_LINES, `the log of ${step}`);
    }
  }
  return stepRuns.map(({ step, status }) => `${step} ${status}`).toSorted();
}

describeStores("mixed runs on two engines of which anything is killed", (kind) => {
  it(`end as an undisturbed one after ${KILLS} kills (seed ${SEED})`, { timeout: 7_200_000 }, async (test) => {
    const random = createRandom(SEED);
    const folder = await temporaryFolder();
    const database = kind === "postgres" ? await createPostgresDatabase() : undefined;
    const address = database?.address ?? join(folder, ".esteira/metadata.sqlite");
    const sqlAddress = database === undefined ? address : `${address}?schema=esteira`;
    const place = database === undefined ? "" : `store: { metadata: "${database.address}" }\n`;
    const files: Readonly<Record<string, string>> = {
      "esteira.yaml": `name: p\n${place}isolation: { level: none }\npools: { narrow: 1 }\n`,
      "say.sh": SCRIPT,
      "rides.csv": "id,day\n1,1\n2,1\n3,2\n",
      "daily.sql": "select day, count(*) as n from rides group by day\n",
      "pipelines/mixed.yaml": pipeline(folder),
    };
    await mkdir(join(folder, "pipelines"));
    for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
    const engines = [await startEngine(folder), await startEngine(folder)];
    after(() => endProcessesOf(folder));
    const store = await openMetadataStore(address);
    after(() => store.close());

    const submit = async (): Promise<string> => {
      const [engine] = engines;
      const response = await fetch(`${engine?.url}/api/v1/pipelines/mixed/runs`, {
        method: "POST",
        body: "{}",
        headers: { "content-type": "application/json" },
      });
      assert.ok(response.ok, await response.text());
      const [newest] = await listPipelineRuns(store, { project: "p" });
      return newest?.id ?? "";
    };
    const isOver = async (id: string): Promise<boolean> =>
      !["queued", "running"].includes((await getPipelineRun(store, id)).run.status);
    const ended = async (id: string): Promise<void> => {
      for (const until = Date.now() + LONGEST_MS; !(await isOver(id)); await delay(100))
        assert.ok(Date.now() < until, `run ${id} did not end: ${JSON.stringify(await getPipelineRun(store, id))}`);
    };
    const kill = async (): Promise<Victim | undefined> => {
      const victim = VICTIMS[Math.floor(random() * VICTIMS.length)] ?? "engine";
      const choice = random();
      if (victim === "connection") {
        const count = await database?.endConnections("true");
        return count === undefined || count === 0 ? undefined : victim;
      }
      if (victim === "engine") {
        const engine = engines[Math.floor(choice * engines.length)];
        if (engine === undefined || !isUp(engine)) return undefined;
        signalGroup(engine.child, "SIGKILL");
        await engine.ended;
        return victim;
      }
      const ours = engines.flatMap(({ child }) => (child.pid === undefined ? [] : [child.pid]));
      const found = familyOf(await listProcesses(), ours).filter(WHO[victim]);
      const one = found[Math.floor(choice * found.length)];
      if (one === undefined) return undefined;
      try {
        process.kill(one.pid, "SIGKILL");
        return victim;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ESRCH") return undefined;
        throw error;
      }
    };
    const mend = async (): Promise<void> => {
      for (const [index, engine] of engines.entries())
        if (!isUp(engine)) {
          await engine.ended;
          engines[index] = await startEngine(folder);
        }
    };

    const undisturbed = await submit();
    await ended(undisturbed);
    const wanted = await readEnd(store, folder, undisturbed);
    const counts = new Map<Victim, number>();
    for (let done = 0; done < KILLS;) {
      const id = await submit();
      for (let here = 0; here < KILLS_PER_RUN && done < KILLS && !(await isOver(id));) {
        await delay(random() * 900);
        const victim = await kill();
        if (victim === undefined) continue;
        here++;
        done++;
        counts.set(victim, (counts.get(victim) ?? 0) + 1);
        await mend();
      }
      await ended(id);
      await mend();
      assert.equal((await getPipelineRun(store, id)).run.status, "succeeded", `after ${done} kills`);
      assert.deepEqual(await readEnd(store, folder, id), wanted, `after ${done} kills`);
      assert.deepEqual(await runSql(sqlAddress, "select holder from slot"), []);
      assert.deepEqual(await runSql(sqlAddress, "select id from attempt where status = 'running'"), []);
    }
    if (KILLS >= 40)
      assert.ok(counts.size >= VICTIMS.length - (kind === "sqlite" ? 1 : 0), "something was never killed");
    test.diagnostic(`${kind}, seed ${SEED}: ${[...counts].map(([victim, count]) => `${victim} ${count}`).join(", ")}`);
    for (const { child, ended: gone } of engines) {
      child.kill("SIGTERM");
      await gone;
    }
    assert.deepEqual(findOverlaps(await readFile(join(folder, "trace"), "utf8")), []);
    const rows = await runEsteira(folder, ["query", "select day, n from daily order by day", "--json"]);
    assert.match(rows.stdout.replaceAll(/\s/g, ""), /"rows":\[\[1,2\],\[2,1\]\]/);
    assert.deepEqual(await readdir(join(folder, ".esteira/work")).catch(() => []), []);
    assert.deepEqual(await listProcessesOf(folder), []);
  });
});
