import { ROLES_OF_ACTION } from "#access";
import { addressOf, isOpen, listRoutes, type NamedRoute, type Surface, SURFACE_PREFIXES } from "#api";

/** What a reader of each surface must know before its table. */
const SURFACES: Readonly<Record<Surface, { readonly title: string; readonly about: string }>> = {
  api: {
    title: "The API of esteira",
    about:
      "Times are epoch milliseconds (`…AtMs`). Lists are `{ items, next? }`: pass `next` back as `after`. Errors are `{ error: { code, message, hint?, kind, context } }`: [errors.md](errors.md).",
  },
  mlflow: {
    title: "MLflow",
    about: `Each call stands below ${SURFACE_PREFIXES.mlflow.map((prefix) => `\`${prefix}\``).join(", ")}, those with a leading \`/\` at exactly their path. Fields and answers are those of MLflow's REST API; errors are \`{ error_code, message }\`. What a step logs with its own token must be its own.`,
  },
  serving: {
    title: "Endpoints",
    about: "Predictions in three protocols. Below `v2`, errors are those of the Open Inference Protocol.",
  },
  monitoring: { title: "Labels and evaluation", about: "JSON." },
  features: { title: "Online features", about: "As Feast's feature server; errors are `{ detail }`." },
  hooks: { title: "Signed calls", about: "The signature of the body stands for the caller." },
  workers: {
    title: "Workers",
    about:
      "What `esteira worker` asks: only a token of an administrator, or one made with `--only work`, may. Of tasks, a worker reads and writes only those that it holds, under their fencing token.",
  },
  operations: { title: "Operations", about: "For probes and for Prometheus." },
};

/** docs/reference/api.md: every route of every surface, and who may call it. */
export async function generateApiReference(): Promise<ReadonlyMap<string, string>> {
  const bySurface = Map.groupBy(listRoutes(), ({ route }) => route.surface);
  const sections = [...bySurface].flatMap(([surface, routes]) => [
    `## ${SURFACES[surface].title}`,
    SURFACES[surface].about,
    "",
    "| method | path | what | operation | action |",
    "|---|---|---|---|---|",
    ...routes.map(toRow),
    "",
  ]);
  const text = [
    "<!-- Made by scripts/generate.ts -->",
    "# HTTP",
    "",
    "Every route of the server; the exact shapes are at `/api/v1/openapi.json` of a running server, as OpenAPI 3.1.",
    "A caller is known by `Authorization`: a token as Bearer, or as the password of HTTP Basic. Whether the caller's role in the project has the action of a route is asked before a byte of the body is read.",
    "",
    "## Who may do what",
    "| action | roles |",
    "|---|---|",
    ...Object.entries(ROLES_OF_ACTION).map(([action, roles]) => `| ${action} | ${roles.join(", ")} |`),
    "",
    ...sections,
  ].join("\n");
  return new Map([["docs/reference/api.md", text]]);
}

function toRow({ name, summary, route }: NamedRoute): string {
  const { method, path, surface, action, stream } = route;
  const address = surface === "mlflow" ? path : addressOf(route);
  const what = `${summary}${stream === undefined ? "" : " (server-sent events)"}`;
  return `| ${method} | \`${address}\` | ${what} | \`${name}\` | ${isOpen(action) ? `open: ${action.open}` : action} |`;
}
