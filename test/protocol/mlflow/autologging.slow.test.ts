import { describe } from "node:test";
import { openMlflowServer } from "../../setup/mlflow-server.ts";
import { declareChecks, runClientScript } from "./client/run-suite.ts";

const PACKAGES = ["mlflow==3.11.1", "scikit-learn==1.7.2", "xgboost", "lightgbm", "torch==2.13.0", "lightning"];

const { url } = await openMlflowServer("sqlite", { listen: true });
const result = await runClientScript({ script: "./autolog_suite.py", packages: PACKAGES, trackingUri: url });
describe("MLflow's autologging:", () => declareChecks(result));
