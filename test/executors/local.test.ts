import { join } from "node:path";
import { createIsolation, createLocalExecutor } from "#executors";
import { describeExecutor } from "../conformance/executor.ts";

const isolation = createIsolation();
const { level } = await isolation.report();

describeExecutor("local, without isolation", (folder) =>
  createLocalExecutor({ workFolder: join(folder, "work"), isolation: createIsolation({ level: "none" }) }),
);
if (level === "sandbox")
  describeExecutor(
    "local, in a sandbox",
    (folder) => createLocalExecutor({ workFolder: join(folder, "work"), isolation }),
    {
      isSandboxed: true,
    },
  );
