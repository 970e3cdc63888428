import { join } from "node:path";
import { createIsolation, createLocalExecutor } from "#executors";
import { describeExecutor } from "../conformance/executor.ts";
import { createProcessServer } from "../../src/executors/drivers/process-server.ts";

const isolation = createIsolation();
const { level } = await isolation.report();

describeExecutor("local, without isolation", (folder) =>
  createLocalExecutor({ workFolder: join(folder, "work"), isolation: createIsolation({ level: "none" }) }),
);
describeExecutor("local, where no other process can start its own", (folder) =>
  createLocalExecutor({
    workFolder: join(folder, "work"),
    isolation: createIsolation({ level: "none" }),
    processServer: createProcessServer(""),
  }),
);
if (level === "sandbox") {
  describeExecutor(
    "local, in a sandbox",
    (folder) => createLocalExecutor({ workFolder: join(folder, "work"), isolation }),
    { isSandboxed: true },
  );
}
