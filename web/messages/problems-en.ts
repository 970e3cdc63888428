import type { ProblemTexts } from "./problems.ts";

/** Hints that speak of the pages, where the server's speak of its command line. Messages are the server's. */
export const problemsEn: ProblemTexts = {
  SERVER_PROJECT_NOT_OPEN: { hint: "Start the server in a folder with an esteira.yaml." },
  SERVER_RESOURCE_MISSING: { hint: "Check the name; the lists in the side bar show what there is." },
  PIPELINE_RUN_UNKNOWN: { hint: "The page Pipelines lists the runs." },
  PIPELINE_PARAM_MISSING: { hint: "Fill it in where the run is started, or declare a default." },
  PIPELINE_PARAM_WRONG: { hint: "Give a value of the declared type: {expected}." },
  PIPELINE_INPUT_MISSING: { hint: "Run the step that makes “{input}” first." },
  PIPELINE_WORKER_LOST: {
    hint: "Does it take all memory, or end the engine itself? Look at the step’s log, then resume the run.",
  },
  PIPELINE_RETRY_NOTHING: { hint: "What succeeded stays. Start a new run to make it anew." },
  PIPELINE_RESUME_CHANGED: { hint: "Start a new run; what did not change is reused." },
  DELIVERY_NOT_APPROVED: {
    hint: "Make another version, or let the refusal be revoked; the page Approvals shows the decisions.",
  },
  DELIVERY_RELEASE_MISSING: { hint: "The page Releases lists those that ran there." },
  GOVERNANCE_REVIEWER_REQUIRED: { hint: "An administrator of the project can grant the role." },
  GOVERNANCE_SUBJECT_UNKNOWN: {
    hint: "Approve a digest that the page Approvals shows; any change of the content gives another digest.",
  },
  GOVERNANCE_APPROVAL_MISSING: { hint: "The page Approvals lists those that stand." },
  GOVERNANCE_RULES_UNKNOWN: { hint: "The page Releases lists the environments." },
  GOVERNANCE_SIGNATURE_INVALID: { hint: "Look at what waits now, and sign that." },
  GOVERNANCE_KEY_INVALID: { hint: "The guide to approvals says how a key is made." },
  GOVERNANCE_KEY_UNPROVEN: { hint: "The proof is a signature of the text that names the user and the key." },
  GOVERNANCE_KEY_MISSING: { hint: "It may have been revoked before." },
  GOVERNANCE_SIGNATURE_NEEDED: {
    hint: "A reviewer with a signing key approves it on the command line; the guide to approvals says how.",
  },
  GOVERNANCE_TRACE_UNKNOWN: { hint: "The id may be misspelt, or what it names was removed." },
  ACCESS_UNAUTHENTICATED: { hint: "Sign in with a token, at the foot of the side bar." },
  ACCESS_DENIED: { hint: "An administrator of the project can grant the role." },
  DELIVERY_ROLLOUT_CHANGED: { hint: "Look at it again, then decide." },
  DELIVERY_NOTHING_TRIED: {
    hint: "A deploy step with strategy: { canary: 10% } begins one; the page shows those that ended.",
  },
  DATA_DATASET_UNKNOWN: { hint: "The page Datasets lists those that there are." },
  DATA_DATASET_MISSING: {
    hint: "The page Datasets lists what there is; a dataset appears when the step that makes it has run.",
  },
  DATA_CAPTURE_EMPTY: {
    hint: "The tab Quarantine of the dataset shows what was held back. Is the file in another encoding? Say so: csv: { encoding: latin-1 }. If a run without rows is right, set allow_empty: true under capture.",
  },
  DATA_SOURCE_ROWS_UNKNOWN: {
    hint: "A merge or another tool rewrote the table: all its files have to be read anew, in one version.",
  },
  MODELS_VERSION_MISSING: { hint: "The page Models lists the versions." },
  PIPELINE_LOG_MALFORMED: {
    hint: "A newer program may have written it; else the store is damaged, and an administrator looks for what else is.",
  },
  FEATURES_DEFINITIONS_INVALID: { hint: "Correct the files below features/." },
  FEATURES_PUSH_SCHEMA_UNKNOWN: {
    hint: "Run the pipeline that makes {dataset}; a contract gives an empty dataset its columns.",
  },
};
