import { after } from "node:test";
import { createIsolation } from "#executors";
import { describeExecutor } from "../conformance/executor.ts";
import { openPoolServer, startTestWorker } from "../setup/worker.ts";

const { level } = await createIsolation().report();

for (const isolation of level === "sandbox" ? (["none", "sandbox"] as const) : (["none"] as const)) {
  const server = await openPoolServer();
  const worker = await startTestWorker(server.url, { isolation });
  after(() => worker.stop());
  describeExecutor(`worker, isolation ${isolation}`, () => server.pool, { isSandboxed: isolation === "sandbox" });
}
