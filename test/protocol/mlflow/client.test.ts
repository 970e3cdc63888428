import { describe } from "node:test";
import { storeKinds } from "../../setup/stores.ts";
import { openMlflowServer } from "../../setup/mlflow-server.ts";
import { type ClientResult, declareChecks, runClientScript } from "./client/run-suite.ts";

/** The newest client known here, and the last of the 2.x. */
const CLIENTS = {
  "3.11": ["mlflow-skinny==3.11.1", "pandas==2.3.3", "scikit-learn==1.7.2"],
  "2.22": ["mlflow-skinny==2.22.5", "pandas==2.3.3", "scikit-learn==1.7.2"],
};

const results = new Map<string, ClientResult>();
for (const kind of storeKinds) {
  for (const [version, packages] of Object.entries(CLIENTS)) {
    if (kind === "postgres" && version !== "3.11") continue;
    const { url } = await openMlflowServer(kind, { listen: true });
    // Models go through the same code on both databases, and their client side takes long.
    const environment = kind === "sqlite" ? {} : { SKIP_MODELS: "1" };
    results.set(
      `the MLflow ${version} client (${kind})`,
      await runClientScript({ script: "./client_suite.py", packages, trackingUri: url, environment }),
    );
  }
}
for (const [title, result] of results) describe(`${title}: its`, () => declareChecks(result));
