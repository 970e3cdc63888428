import { execFileSync, spawn, type ChildProcess, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { cpus, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const NEEDED = ["munged", "slurmctld", "slurmd", "sbatch"];
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const READY_WITHIN_MS = 60_000;

/** A Slurm of one machine, started for a test from the system's packages. */
export interface TestSlurm {
  /** Its slurm.conf. */
  readonly configuration: string;
  readonly searchPath: string;
  run(program: string, ...args: readonly string[]): string;
  /** Kills the controller; `startController` brings it back with what it knew. */
  killController(): Promise<void>;
  startController(): Promise<void>;
  /** Kills the daemon of the node; `startNode` brings it back. */
  killNode(): Promise<void>;
  startNode(): Promise<void>;
  stop(): Promise<void>;
}

/** @throws Error that says what to install, where Slurm is not on this machine */
export async function startSlurm({
  nodeTimeoutSeconds = 10,
}: {
  /** How long its node may be silent: on a machine that is busy, longer than it is. */
  readonly nodeTimeoutSeconds?: number;
} = {}): Promise<TestSlurm> {
  const missing = NEEDED.filter(
    (program) => spawnSync("sh", ["-c", `command -v ${program}`], { env: { PATH } }).status !== 0,
  );
  if (missing.length > 0)
    throw new Error(
      `${missing.join(", ")} not found: this test needs a real Slurm. On Debian: apt-get install -y slurmctld slurmd slurm-client munge`,
    );
  const folder = await mkdtemp(join(tmpdir(), "esteira-slurm-"));
  for (const name of ["state", "spool", "munge"]) await mkdir(join(folder, name));
  await chmod(folder, 0o755);
  const [controllerPort, nodePort] = [await freePort(), await freePort()];
  const socket = join(folder, "munge/socket");
  const key = join(folder, "munge/key");
  await writeFile(key, randomBytes(1024), { mode: 0o400 });
  const configuration = join(folder, "slurm.conf");
  const host = hostname().split(".")[0] ?? "";
  await writeFile(
    configuration,
    `ClusterName=esteira
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${controllerPort}
SlurmdPort=${nodePort}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=${socket}
CredType=cred/munge
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=10000,batch_sched_delay=0,sched_interval=1
ReturnToService=2
MinJobAge=300
SlurmdTimeout=${nodeTimeoutSeconds}
KillWait=5
JobRequeue=1
MailProg=/bin/true
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
NodeName=${host} NodeAddr=127.0.0.1 CPUs=${cpus().length} RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=${host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:64 PriorityTier=1
PartitionName=urgent Nodes=${host} MaxTime=INFINITE State=UP OverSubscribe=NO PriorityTier=10 PreemptMode=OFF
PartitionName=short Nodes=${host} MaxTime=1 State=UP OverSubscribe=FORCE:64
`,
  );
  const environment = { PATH, SLURM_CONF: configuration, LC_ALL: "C" };
  const daemons = new Map<string, ChildProcess>();
  const start = (name: string, program: string, ...args: readonly string[]): void => {
    const child = spawn(program, args, { stdio: "ignore", env: environment, cwd: "/" });
    daemons.set(name, child);
    process.once("exit", () => child.kill("SIGKILL"));
  };
  const kill = async (name: string): Promise<void> => {
    const child = daemons.get(name);
    daemons.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  };
  const run = (program: string, ...args: readonly string[]): string =>
    execFileSync(program, args, { env: environment, encoding: "utf8", cwd: "/" });
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    for (const end = Date.now() + READY_WITHIN_MS; !holds(); await delay(100))
      if (Date.now() > end) throw new Error(`Slurm: ${what} after ${READY_WITHIN_MS / 1000} s; see ${folder}`);
  };
  const answers = (pattern: RegExp, program: string, ...args: readonly string[]): boolean => {
    try {
      return pattern.test(run(program, ...args));
    } catch {
      return false;
    }
  };
  const isReady = (): boolean => answers(/^(idle|mixed|allocated)\b/m, "sinfo", "-h", "-o", "%T");
  const startController = async (): Promise<void> => {
    start("slurmctld", "slurmctld", "-D");
    await until("the controller did not answer", () => answers(/UP/, "scontrol", "ping"));
  };
  const startNode = async (): Promise<void> => {
    start("slurmd", "slurmd", "-D");
    await until("the node was not ready", isReady);
  };
  start(
    "munged",
    "munged",
    "--foreground",
    "--force",
    `--socket=${socket}`,
    `--key-file=${key}`,
    `--log-file=${folder}/munge/log`,
    `--pid-file=${folder}/munge/pid`,
    `--seed-file=${folder}/munge/seed`,
  );
  await until("munge did not answer", () =>
    answers(/STATUS:\s+Success/, "sh", "-c", `munge -S ${socket} -n | unmunge -S ${socket}`),
  );
  await startController();
  await startNode();
  return {
    configuration,
    searchPath: PATH,
    run,
    killController: () => kill("slurmctld"),
    startController,
    killNode: () => kill("slurmd"),
    startNode,
    async stop() {
      try {
        run("scancel", "-u", String(process.getuid?.() ?? 0));
        await until("jobs did not end", () => run("squeue", "-h").trim() === "");
      } finally {
        for (const name of ["slurmd", "slurmctld", "munged"]) await kill(name);
        await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      }
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
