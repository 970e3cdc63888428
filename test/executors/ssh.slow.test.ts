import { describe } from "node:test";
import { createIsolation } from "#executors";
import { describeExecutor } from "../conformance/executor.ts";
import { startTestHost } from "../setup/ssh-box.ts";
import { lacksSsh } from "../setup/ssh-server.ts";

if (lacksSsh === false) {
  const { level } = await createIsolation().report();
  const { box } = await (await startTestHost()).open();
  describeExecutor("ssh", () => box, { isSandboxed: level === "sandbox" });
} else describe("the executor ssh", { skip: lacksSsh }, () => {});
