import { readFileSync } from "node:fs";
import type { JobPlan } from "./job-plan.ts";
import { runJob } from "./runner/run-job.ts";

// The program that runs the steps of one job, in the isolation of the attempt. Its argument names the plan.
const path = process.argv[2];
if (path !== undefined) {
  const plan: JobPlan = JSON.parse(readFileSync(path, "utf8"));
  // oxlint-disable-next-line node/no-process-env -- all that the executor gave this process: the steps get it from here
  void runJob(plan, { ...process.env }).then((code) => (process.exitCode = code));
}
