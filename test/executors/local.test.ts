import { createLocalExecutor } from "#executors";
import { join } from "node:path";
import { describeExecutor } from "../conformance/executor.ts";

describeExecutor("local", (folder) => createLocalExecutor({ workFolder: join(folder, "work") }));
