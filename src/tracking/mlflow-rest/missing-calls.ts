import { callMissing, notImplemented } from "../errors.ts";
import { MLFLOW_METHODS, type MlflowMethod, type MlflowRoute } from "./route.ts";

interface MissingCalls {
  /** What MLflow has that is not here, as a sentence's subject. */
  readonly what: string;
  /** What a user does instead. */
  readonly instead: string;
  /** `501`: clients say why at once. `404`: they take it as a server that does not know the call, and go on without. */
  readonly status: 404 | 501;
  /** `GET,POST path`, below the prefixes. */
  readonly calls: readonly string[];
}

const NO_TRACES = "Traces are not stored by this server";
const NO_TRACES_INSTEAD = "log runs, metrics and artifacts, or keep traces in another tracking server";

/**
 * MLflow's calls that are not served: each answers with the reason, under every prefix. Source: the route table of
 * MLflow 3.11 and 3.17.
 */
const MISSING: readonly MissingCalls[] = [
  {
    what: NO_TRACES,
    instead: NO_TRACES_INSTEAD,
    status: 501,
    calls: [
      "GET,POST mlflow/traces",
      "POST mlflow/traces/search",
      "GET,PATCH mlflow/traces/:trace_id",
      "GET mlflow/traces/:trace_id/info",
      "PATCH,DELETE mlflow/traces/:trace_id/tags",
      "POST mlflow/traces/delete-traces",
      "POST mlflow/traces/link-prompts",
      "POST mlflow/traces/link-to-run",
      "GET mlflow/traces/get",
      "GET,POST mlflow/traces/batchGet",
      "POST mlflow/traces/batchGetInfos",
      "POST mlflow/traces/calculate-filter-correlation",
      "POST mlflow/traces/metrics",
      "GET mlflow/get-trace-artifact",
      "GET mlflow/get-online-trace-details",
      "GET,POST mlflow/unified-traces",
    ],
  },
  {
    what: "Assessments belong to traces, which are not stored by this server",
    instead: "log what people or programs think of a result as metrics, tags or tables of a run",
    status: 501,
    calls: [
      "POST mlflow/traces/:trace_id/assessments",
      "GET,PATCH,DELETE mlflow/traces/:trace_id/assessments/:assessment_id",
    ],
  },
  {
    what: "Evaluation datasets of traces are not stored by this server",
    instead: "log datasets as inputs of runs, or capture them as versioned datasets",
    status: 501,
    calls: [
      "POST mlflow/datasets/create",
      "GET,POST mlflow/datasets/search",
      "GET,DELETE mlflow/datasets/:dataset_id",
      "POST mlflow/datasets/:dataset_id/add-experiments",
      "POST mlflow/datasets/:dataset_id/remove-experiments",
      "GET mlflow/datasets/:dataset_id/experiment-ids",
      "GET,POST,DELETE mlflow/datasets/:dataset_id/records",
      "PATCH mlflow/datasets/:dataset_id/tags",
      "DELETE mlflow/datasets/:dataset_id/tags/:key",
    ],
  },
  {
    what: "Scorers judge traces, which are not stored by this server",
    instead: "evaluate models with `mlflow.models.evaluate`, or in a `test` step",
    status: 501,
    calls: [
      "POST mlflow/scorer/invoke",
      "POST mlflow/scorers/register",
      "GET mlflow/scorers/list",
      "GET mlflow/scorers/versions",
      "GET mlflow/scorers/get",
      "DELETE mlflow/scorers/delete",
      "PUT mlflow/scorers/online-config",
      "GET mlflow/scorers/online-configs",
    ],
  },
  {
    what: "Issues of traces are not kept by this server",
    instead: "keep them in an issue tracker",
    status: 501,
    calls: [
      "POST mlflow/issues",
      "GET,PATCH mlflow/issues/:issue_id",
      "POST mlflow/issues/search",
      "POST mlflow/issues/invoke",
    ],
  },
  {
    what: "The AI gateway, its endpoints, secrets and budgets are not served here",
    instead: "call language models' own addresses",
    status: 404,
    calls: ["GET,POST mlflow/gateway-proxy", "GET,POST,PUT,PATCH,DELETE mlflow/gateway/*"],
  },
  {
    what: "Prompt optimization jobs are not run by this server",
    instead: "run the optimization where you call it from",
    status: 404,
    calls: ["GET,POST,DELETE mlflow/prompt-optimization/*"],
  },
  {
    what: "Prompt engineering runs are not made by this server",
    instead: "log a run from your own code",
    status: 404,
    calls: ["POST mlflow/runs/create-promptlab-run"],
  },
  {
    what: "Background jobs of MLflow's server are not run here",
    instead: "run the work in a pipeline",
    status: 404,
    calls: ["GET,PATCH mlflow/jobs/*"],
  },
  {
    what: "MLflow's demonstration data is not made here",
    instead: "run `npm run demo`",
    status: 404,
    calls: ["POST mlflow/demo/*"],
  },
  {
    what: "This server collects no telemetry of its page",
    instead: "nothing is to be done",
    status: 404,
    calls: ["GET,POST mlflow/ui-telemetry"],
  },
  {
    what: "This server has one workspace: workspaces are not enabled",
    instead: "use one store for each",
    status: 404,
    calls: ["GET,POST mlflow/workspaces", "GET,PATCH,DELETE mlflow/workspaces/*"],
  },
  {
    what: "MLflow's GraphQL is not served here",
    instead: "use the REST calls",
    status: 404,
    calls: ["GET,POST /graphql"],
  },
];

/** Routes that say what is missing, and what to do without it. Never an HTML page, never an empty success. */
export function missingCallRoutes(): readonly MlflowRoute[] {
  return MISSING.flatMap(({ what, instead, status, calls }) =>
    calls.flatMap((call) => {
      const [methods = "", path = ""] = call.split(" ");
      return methods.split(",").map((method): MlflowRoute => ({
        method: toMethod(method),
        path,
        permission: "read",
        handler: async () => {
          throw status === 501
            ? notImplemented({ message: `${what}; ${instead}.` })
            : callMissing({ message: `${what}; ${instead}.` });
        },
      }));
    }),
  );
}

function toMethod(text: string): MlflowMethod {
  const method = MLFLOW_METHODS.find((name) => name === text);
  if (method === undefined) throw new Error(`${text} is no method of MLflow's calls`);
  return method;
}
