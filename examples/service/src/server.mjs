import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { greet } from "./greeting.mjs";
import { isHealthy } from "./health.mjs";

export function createGreeter(environment) {
  return createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (url.pathname === "/healthz") return response.writeHead(isHealthy() ? 200 : 503).end();
    const message = greet(url.searchParams.get("name") ?? "world", url.searchParams.get("language") ?? undefined);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ message, environment }));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const server = createGreeter(process.env.ESTEIRA_ENVIRONMENT ?? "dev");
  server.listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? "127.0.0.1", () =>
    console.log(`listening on ${server.address().port}`),
  );
  // The front sends no new request by then: finish the open ones.
  process.on("SIGTERM", () => server.close(() => process.exit(0)));
}
