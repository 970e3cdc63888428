import { join } from "node:path";
import { createIsolation, createLocalExecutor } from "#executors";
import { describeExecutor } from "../conformance/executor.ts";

const isolation = createIsolation();
const { level } = await isolation.report();

describeExecutor("local, without isolation", (folder) =>
  createLocalExecutor({ workFolder: join(folder, "work"), isolation: createIsolation({ level: "none" }) }),
);
describeExecutor("local, its processes started by another one", (folder) =>
  createLocalExecutor({
    workFolder: join(folder, "work"),
    isolation: createIsolation({ level: "none" }),
    startedHere: 0,
  }),
);
if (level === "sandbox") {
  describeExecutor(
    "local, in a sandbox",
    (folder) => createLocalExecutor({ workFolder: join(folder, "work"), isolation }),
    {
      isSandboxed: true,
    },
  );
  describeExecutor(
    "local, in a sandbox that another process starts",
    (folder) => createLocalExecutor({ workFolder: join(folder, "work"), isolation, startedHere: 0 }),
    { isSandboxed: true },
  );
}
