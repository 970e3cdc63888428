import type { Command } from "./command.ts";

interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Every command by its words, each loaded only when it is used. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  up: {
    summary: "Start the server: web page, API, MLflow, endpoints, triggers",
    load: () => import("./commands/server/up.ts"),
  },
  init: { summary: "Start a project in this folder", load: () => import("./commands/project/init.ts") },
  lint: {
    summary: "Check every file of the project without running anything",
    load: () => import("./commands/project/lint.ts"),
  },
  test: { summary: "Run the unit tests of SQL and Python models", load: () => import("./commands/pipeline/test.ts") },
  plan: { summary: "Say what would run, what is cached, and why", load: () => import("./commands/pipeline/plan.ts") },
  run: { summary: "Run a pipeline, or finish one", load: () => import("./commands/pipeline/run.ts") },
  retry: {
    summary: "Try again what failed in a pipeline run; what passed stays",
    load: () => import("./commands/pipeline/retry.ts"),
  },
  debug: {
    summary: "Open a shell where a step of a pipeline run works, to see why it failed",
    load: () => import("./commands/pipeline/debug.ts"),
  },
  "pipeline tests": {
    summary: "Show how the tests of a pipeline went, and which are flaky",
    load: () => import("./commands/pipeline/tests.ts"),
  },
  status: {
    summary: "Show pipelines, their latest runs, and every run that is not finished",
    load: () => import("./commands/pipeline/status.ts"),
  },
  queue: {
    summary: "List what waits for its turn, and why",
    load: () => import("./commands/pipeline/queue.ts"),
  },
  "schedule list": {
    summary: "List what starts pipelines by time or by a look outside",
    load: () => import("./commands/schedule/list.ts"),
  },
  "schedule pause": {
    summary: "Let no schedule and no sensor start a pipeline",
    load: () => import("./commands/schedule/pause.ts"),
  },
  "schedule resume": {
    summary: "Let schedules and sensors start a pipeline again",
    load: () => import("./commands/schedule/resume.ts"),
  },
  "retraining list": {
    summary: "List policies for training again, with what holds them back and when they may next",
    load: () => import("./commands/retraining/list.ts"),
  },
  "retraining show": {
    summary: "Say why a pipeline trained again, why it did not, and when it may next",
    load: () => import("./commands/retraining/show.ts"),
  },
  "pool list": {
    summary: "List pools with who holds their slots and how many wait",
    load: () => import("./commands/pool/list.ts"),
  },
  logs: { summary: "Show the log of a pipeline run or a step", load: () => import("./commands/pipeline/logs.ts") },
  why: { summary: "Explain why a step ran or was cached", load: () => import("./commands/pipeline/why.ts") },
  cancel: {
    summary: "Cancel a pipeline run and end its processes",
    load: () => import("./commands/pipeline/cancel.ts"),
  },
  approve: { summary: "Approve a digest for an environment", load: () => import("./commands/approval/approve.ts") },
  "approval revoke": {
    summary: "Take back an approval or a refusal",
    load: () => import("./commands/approval/revoke.ts"),
  },
  "secrets rotate": {
    summary: "Seal every secret of the store with a new key",
    load: () => import("./commands/secrets/rotate.ts"),
  },
  "key create": {
    summary: "Make your key for signing decisions, and register it",
    load: () => import("./commands/key/create.ts"),
  },
  "key list": { summary: "List the keys that decisions are signed with", load: () => import("./commands/key/list.ts") },
  "key revoke": {
    summary: "End a key: what was signed with it counts no more",
    load: () => import("./commands/key/revoke.ts"),
  },
  "approval list": { summary: "List approvals, waiting and given", load: () => import("./commands/approval/list.ts") },
  "rules show": {
    summary: "Show what protects an environment",
    load: () => import("./commands/rules/show.ts"),
  },
  "rules history": {
    summary: "Show which rules protected an environment when",
    load: () => import("./commands/rules/history.ts"),
  },
  "rules diff": {
    summary: "Show what esteira.yaml asks less for than the rules in force",
    load: () => import("./commands/rules/diff.ts"),
  },
  "recipe show": {
    summary: "Show everything that influences an asset but the data",
    load: () => import("./commands/recipe/show.ts"),
  },
  "recipe diff": {
    summary: "Show what changed in a recipe since it was approved",
    load: () => import("./commands/recipe/diff.ts"),
  },
  "executor check": {
    summary: "Run a small process on an executor, to see that its machines share the store and reach the server",
    load: () => import("./commands/executor/check.ts"),
  },
  "executor list": {
    summary: "Show where steps can run, what each place gives, and which steps ask for more",
    load: () => import("./commands/executor/list.ts"),
  },
  worker: {
    summary: "Take steps of a server that run on this machine",
    load: () => import("./commands/worker/worker.ts"),
  },
  "workflow list": {
    summary: "List GitHub workflows with what starts them and whether they run here",
    load: () => import("./commands/workflow/list.ts"),
  },
  "workflow check": {
    summary: "Say what of the GitHub workflows cannot run here, and where it stands",
    load: () => import("./commands/workflow/check.ts"),
  },
  "workflow mirror": {
    summary: "Fetch the actions that workflows name and the mirror lacks",
    load: () => import("./commands/workflow/mirror.ts"),
  },
  "workflow run": { summary: "Run a GitHub workflow", load: () => import("./commands/workflow/run.ts") },
  "notebook check": {
    summary: "Look through notebooks for hidden state and secrets",
    load: () => import("./commands/notebook/check.ts"),
  },
  "notebook diff": {
    summary: "Compare two notebooks cell by cell",
    load: () => import("./commands/notebook/diff.ts"),
  },
  backfill: {
    summary: "Make the partitions of a pipeline that lack or are stale",
    load: () => import("./commands/backfill/backfill.ts"),
  },
  "backfill list": {
    summary: "List backfills, the newest first",
    load: () => import("./commands/backfill/list.ts"),
  },
  "backfill show": {
    summary: "Show how far a backfill is, and what failed of it",
    load: () => import("./commands/backfill/show.ts"),
  },
  "backfill pause": {
    summary: "Begin no more partitions of a backfill; what is at work ends",
    load: () => import("./commands/backfill/pause.ts"),
  },
  "backfill resume": {
    summary: "Go on with a backfill that was paused or interrupted",
    load: () => import("./commands/backfill/resume.ts"),
  },
  "backfill cancel": {
    summary: "End a backfill and its runs; what is made stays",
    load: () => import("./commands/backfill/cancel.ts"),
  },
  "backfill retry": {
    summary: "Run what failed or was cancelled of a backfill again",
    load: () => import("./commands/backfill/retry.ts"),
  },
  "feature list": {
    summary: "List feature views, how far they are online, and what was pushed to them",
    load: () => import("./commands/feature/list.ts"),
  },
  "dataset list": {
    summary: "List datasets with versions, rows and quarantine",
    load: () => import("./commands/dataset/list.ts"),
  },
  "dataset show": { summary: "Show rows of a dataset version", load: () => import("./commands/dataset/show.ts") },
  "dataset push": {
    summary: "Push the events of a file to a dataset",
    load: () => import("./commands/dataset/push.ts"),
  },
  "dataset scan": {
    summary: "Look for personal data in a dataset, and propose how to protect it",
    load: () => import("./commands/dataset/scan.ts"),
  },
  query: { summary: "Ask the datasets in SQL", load: () => import("./commands/dataset/query.ts") },
  "alert list": {
    summary: "List alerts, newest first, with what crossed what",
    load: () => import("./commands/alert/list.ts"),
  },
  "alert show": {
    summary: "Explain an alert: since when, which columns and rows, what changed, what to do",
    load: () => import("./commands/alert/show.ts"),
  },
  "alert test": {
    summary: "Tell a route that a test opened and closed, now",
    load: () => import("./commands/alert/test.ts"),
  },
  "endpoint compact": {
    summary: "Move predictions out of the metadata database now",
    load: () => import("./commands/endpoint/compact.ts"),
  },
  "endpoint list": {
    summary: "List endpoints with the version that answers and its trial",
    load: () => import("./commands/endpoint/list.ts"),
  },
  "endpoint scores": {
    summary: "Show what monitoring computed of one window of an endpoint",
    load: () => import("./commands/endpoint/scores.ts"),
  },
  "endpoint show": {
    summary: "Show an endpoint and the figures of its trials",
    load: () => import("./commands/endpoint/show.ts"),
  },
  capture: {
    summary: "Capture files again that are captured already",
    load: () => import("./commands/dataset/capture.ts"),
  },
  "dataset restate": {
    summary: "Fill intervals of an incremental dataset again",
    load: () => import("./commands/dataset/restate.ts"),
  },
  "dataset restore": {
    summary: "Give a dataset the content of an earlier version again",
    load: () => import("./commands/dataset/restore.ts"),
  },
  "dataset drop": { summary: "Drop a dataset that nothing needs", load: () => import("./commands/dataset/drop.ts") },
  "dataset compact": {
    summary: "Write the small files of a dataset as one",
    load: () => import("./commands/dataset/compact.ts"),
  },
  doctor: {
    summary: "Look for what is wrong with this machine, project and store, and say the cure",
    load: () => import("./commands/server/doctor.ts"),
  },
  gc: {
    summary: "Remove what nothing names, and what is kept no longer",
    load: () => import("./commands/server/gc.ts"),
  },
  "dataset vacuum": {
    summary: "Remove data files that no version of a dataset refers to",
    load: () => import("./commands/dataset/vacuum.ts"),
  },
  "quarantine list": {
    summary: "List rows that broke a contract",
    load: () => import("./commands/quarantine/list.ts"),
  },
  "quarantine replay": {
    summary: "Check quarantined rows again and publish those that hold now",
    load: () => import("./commands/quarantine/replay.ts"),
  },
  "quarantine discard": {
    summary: "Give quarantined rows up, with a reason",
    load: () => import("./commands/quarantine/discard.ts"),
  },
  "model list": {
    summary: "List models with versions, verdicts and aliases",
    load: () => import("./commands/model/list.ts"),
  },
  "model score": {
    summary: "Predict every row of a file or a dataset",
    load: () => import("./commands/model/score.ts"),
  },
  "model unpack": {
    summary: "Check a model package and write its files",
    load: () => import("./commands/model/unpack.ts"),
  },
  "code export": {
    summary: "Write the files of a version of code into a folder",
    load: () => import("./commands/code/export.ts"),
  },
  "model export": {
    summary: "Write a model with its data as an OCI ModelPack",
    load: () => import("./commands/model/export.ts"),
  },
  "rollout show": {
    summary: "Show both versions of a trial side by side, and what the new one must still show",
    load: () => import("./commands/rollout/show.ts"),
  },
  "rollout promote": {
    summary: "Let the version that is tried take over now",
    load: () => import("./commands/rollout/promote.ts"),
  },
  "rollout abort": {
    summary: "Take the version that is tried back",
    load: () => import("./commands/rollout/abort.ts"),
  },
  rollback: {
    summary: "Deploy the release before, or a given one; or an environment's earlier state",
    load: () => import("./commands/release/rollback.ts"),
  },
  "release diff": {
    summary: "Compare two releases, or what is live in two environments",
    load: () => import("./commands/release/diff.ts"),
  },
  "preview list": {
    summary: "List pull requests with what runs of them, and where",
    load: () => import("./commands/preview/list.ts"),
  },
  "preview remove": {
    summary: "End the runs of a pull request and remove what it has running",
    load: () => import("./commands/preview/remove.ts"),
  },
  "release list": { summary: "List releases of an environment", load: () => import("./commands/release/list.ts") },
  lineage: {
    summary: "Trace a version or a prediction back to its sources",
    load: () => import("./commands/lineage/lineage.ts"),
  },
  "import mlflow": {
    summary: "Take over an MLflow server's experiments, runs and models",
    load: () => import("./commands/import/mlflow.ts"),
  },
  purge: {
    summary: "Remove deleted runs and experiments for good, with their artifacts",
    load: () => import("./commands/tracking/purge.ts"),
  },
  verify: {
    summary: "Check every object, log entry and data file of the store against its digest",
    load: () => import("./commands/server/verify.ts"),
  },
  backup: {
    summary: "Copy the whole store into a folder, while everything runs",
    load: () => import("./commands/server/backup.ts"),
  },
  restore: {
    summary: "Make the store from a backup",
    load: () => import("./commands/server/restore.ts"),
  },
  "audit verify": {
    summary: "Prove that nobody changed the event log, or a row that decides",
    load: () => import("./commands/audit/verify.ts"),
  },
  "audit prove": {
    summary: "Prove to somebody else that an event stands in the log",
    load: () => import("./commands/audit/prove.ts"),
  },
  "audit export": {
    summary: "Print the event log with what proves it, one JSON object a line",
    load: () => import("./commands/audit/export.ts"),
  },
  "user create": { summary: "Create a user and its first token", load: () => import("./commands/user/create.ts") },
  "user list": { summary: "List users and roles", load: () => import("./commands/user/list.ts") },
  "user grant": { summary: "Give a user a role in a project", load: () => import("./commands/user/grant.ts") },
  "user revoke": { summary: "Take away a user's role in a project", load: () => import("./commands/user/revoke.ts") },
  "token create": {
    summary: "Create a token for a user; it is shown once",
    load: () => import("./commands/token/create.ts"),
  },
  "token list": {
    summary: "List tokens: whose, what for, when last used; never a secret",
    load: () => import("./commands/token/list.ts"),
  },
  "token revoke": {
    summary: "End a token now; nothing can sign in with it any more",
    load: () => import("./commands/token/revoke.ts"),
  },
  "hook install": {
    summary: "Let pushes to a git repository trigger pipelines",
    load: () => import("./commands/hook/install.ts"),
  },
};
