// Steps as jobs of a cluster: of a stub (test/setup/kubernetes-stub.ts), whose pods really run their commands.
import { resolve } from "node:path";
import { createIsolation } from "#executors";
import { describeExecutor } from "../conformance/executor.ts";
import { openClusterServer } from "../setup/cluster-server.ts";

const { level } = await createIsolation().report();
const command = resolve(import.meta.dirname, "../../bin/esteira");
const { cluster } = await openClusterServer({ settings: [`command: ${command}`] });

describeExecutor("kubernetes", () => cluster, { isSandboxed: level === "sandbox" });
