import { type ApiRoute, routes } from "#api";

/** docs/reference/api.md: every route of the HTTP API. */
export async function generateApiReference(): Promise<ReadonlyMap<string, string>> {
  const rows = (Object.entries(routes) as [string, ApiRoute][]).map(
    ([name, route]) =>
      `| ${route.method} | \`/api/v1${route.path}\` | ${route.summary}${route.stream === undefined ? "" : " (server-sent events)"} | \`${name}\` | ${route.capability ?? "read"} |`,
  );
  const text = [
    "<!-- Made by scripts/generate.ts -->",
    "# HTTP API",
    "",
    "JSON under `/api/v1`; the exact shapes are at `/api/v1/openapi.json` of a running server. Times are epoch milliseconds (`…AtMs`). Lists are `{ items, next? }`: pass `next` back as `after`.",
    "Errors are `{ error: { code, message, hint?, kind, context } }`: [errors.md](errors.md).",
    "",
    "| method | path | what | operation | needs |",
    "|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
  return new Map([["docs/reference/api.md", text]]);
}
