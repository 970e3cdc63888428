import { type MissingMlflowPart, missingMlflowRoutes } from "#api";
import { callMissing, notImplemented } from "../errors.ts";
import type { MlflowCall } from "./call.ts";

interface MissingPart {
  /** What MLflow has that is not here, as a sentence's subject. */
  readonly what: string;
  /** What a user does instead. */
  readonly instead: string;
  /**
   * `501`: clients say why at once. `404`: they take it as a server that does not know the call, and go on without.
   */
  readonly status: 404 | 501;
}

const PARTS: Readonly<Record<MissingMlflowPart, MissingPart>> = {
  traces: {
    what: "Traces are not stored by this server",
    instead: "log runs, metrics and artifacts, or keep traces in another tracking server",
    status: 501,
  },
  assessments: {
    what: "Assessments belong to traces, which are not stored by this server",
    instead: "log what people or programs think of a result as metrics, tags or tables of a run",
    status: 501,
  },
  evaluationDatasets: {
    what: "Evaluation datasets of traces are not stored by this server",
    instead: "log datasets as inputs of runs, or capture them as versioned datasets",
    status: 501,
  },
  scorers: {
    what: "Scorers judge traces, which are not stored by this server",
    instead: "evaluate models with `mlflow.models.evaluate`, or in a `test` step",
    status: 501,
  },
  issues: {
    what: "Issues of traces are not kept by this server",
    instead: "keep them in an issue tracker",
    status: 501,
  },
  gateway: {
    what: "The AI gateway, its endpoints, secrets and budgets are not served here",
    instead: "call language models' own addresses",
    status: 404,
  },
  promptOptimization: {
    what: "Prompt optimization jobs are not run by this server",
    instead: "run the optimization where you call it from",
    status: 404,
  },
  promptEngineering: {
    what: "Prompt engineering runs are not made by this server",
    instead: "log a run from your own code",
    status: 404,
  },
  jobs: {
    what: "Background jobs of MLflow's server are not run here",
    instead: "run the work in a pipeline",
    status: 404,
  },
  demo: {
    what: "MLflow's demonstration data is not made here",
    instead: "run `npm run demo`",
    status: 404,
  },
  telemetry: {
    what: "This server collects no telemetry of its page",
    instead: "nothing is to be done",
    status: 404,
  },
  workspaces: {
    what: "This server has one workspace: workspaces are not enabled",
    instead: "use one store for each",
    status: 404,
  },
  graphql: {
    what: "MLflow's GraphQL is not served here",
    instead: "use the REST calls",
    status: 404,
  },
};

/** Calls that say what is missing, and what to do without it. Never an HTML page, never an empty success. */
export function missingCalls(): readonly MlflowCall[] {
  return Object.entries(PARTS).flatMap(([part, { what, instead, status }]) =>
    missingMlflowRoutes[part as MissingMlflowPart].map((route) => ({
      route,
      handler: async () => {
        const message = `${what}; ${instead}.`;
        throw status === 501 ? notImplemented({ message }) : callMissing({ message });
      },
    })),
  );
}
