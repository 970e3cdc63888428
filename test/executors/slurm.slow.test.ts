import { join } from "node:path";
import { after } from "node:test";
import { createIsolation, createSlurmExecutor } from "#executors";
import { describeExecutor } from "../conformance/executor.ts";
import { startSlurm } from "../setup/slurm.ts";

const slurm = await startSlurm({ nodeTimeoutSeconds: 300 });
after(() => slurm.stop());
const { level } = await createIsolation().report();

for (const isolation of level === "sandbox" ? (["none", "sandbox"] as const) : (["none"] as const))
  describeExecutor(
    `slurm, isolation ${isolation}`,
    (folder) =>
      createSlurmExecutor({
        name: "hpc",
        configuration: slurm.configuration,
        searchPath: slurm.searchPath,
        jobsFolder: join(folder, "jobs"),
        place: { workFolder: join(folder, "work"), isolation },
        pauses: { logMs: 50, stateMs: 500, settleMs: 3000 },
      }),
    { isSandboxed: isolation === "sandbox" },
  );
