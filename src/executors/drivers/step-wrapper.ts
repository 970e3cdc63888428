import { JobFolder } from "../job/job-folder.ts";
import { runJob } from "../job/job-wrapper.ts";

// The program that a scheduler starts on another machine. Its arguments name the job's folder and the job.
const [, , path, job = ""] = process.argv;
if (path !== undefined) {
  // oxlint-disable-next-line node/no-process-env -- what the scheduler gave the job: the processes get its devices from here
  void runJob(new JobFolder(path), { job, environment: { ...process.env } }).then(() => process.exit(0));
}
