import type { Route } from "./route.ts";

const SIGNED = { open: "the signature stands for the caller" } as const;
/** What GitHub sends at most. */
const LARGEST_PUSH_BYTES = 25 * 2 ** 20;
/** Kept with every pipeline run that the call starts. */
const LARGEST_WEBHOOK_BYTES = 256 * 1024;

/** Signed calls of other systems, and clients of git. */
export const hookRoutes = {
  receivePush: {
    surface: "hooks",
    method: "POST",
    path: "hooks/push",
    summary: "A signed push event of GitHub, GitLab, Gitea or Forgejo",
    action: SIGNED,
    resource: "pipeline",
    body: { largestBytes: LARGEST_PUSH_BYTES },
    errors: "esteira",
  },
  advertiseRepository: {
    surface: "hooks",
    method: "GET",
    path: "git/:repository/info/refs",
    summary: "Branches and tags of the project's repository, for clients of git",
    action: "read",
    resource: "pipeline",
    errors: "git",
  },
  fetchFromRepository: {
    surface: "hooks",
    method: "POST",
    path: "git/:repository/git-upload-pack",
    summary: "Give commits to a client of git",
    action: "read",
    resource: "pipeline",
    body: { streamed: true },
    errors: "git",
  },
  pushToRepository: {
    surface: "hooks",
    method: "POST",
    path: "git/:repository/git-receive-pack",
    summary: "Take commits of a client of git, and start what they start",
    action: "run",
    resource: "pipeline",
    body: { streamed: true },
    errors: "git",
  },
  receiveWebhook: {
    surface: "hooks",
    method: "POST",
    path: "hooks/:name",
    summary: "A signed call of a webhook, which starts pipelines",
    action: SIGNED,
    resource: "pipeline",
    body: { largestBytes: LARGEST_WEBHOOK_BYTES },
    errors: "esteira",
  },
} as const satisfies Readonly<Record<string, Route>>;

function probe(path: string, summary: string): Route {
  const action = { open: "probes come without a token, and learn no name" };
  return { surface: "operations", method: "GET", path, summary, action, resource: "project", errors: "esteira" };
}

/** What whoever runs the server asks. */
export const operationRoutes = {
  isLive: probe("livez", "Whether the process answers"),
  isReady: probe("readyz", "Whether each part is ready that requests need"),
  isHealthy: probe("healthz", "The same as readyz"),
  getMetrics: {
    surface: "operations",
    method: "GET",
    path: "metrics",
    summary: "What the process counts, in the text format of Prometheus",
    action: "read",
    resource: "project",
    errors: "esteira",
  },
} as const satisfies Readonly<Record<string, Route>>;

/** The description of all of this. */
export const descriptionRoutes = {
  getOpenApi: {
    surface: "api",
    method: "GET",
    path: "openapi.json",
    summary: "This description (OpenAPI)",
    action: { open: "the description of the API holds no data" },
    resource: "project",
    errors: "esteira",
  },
} as const satisfies Readonly<Record<string, Route>>;
