import type { MlflowCall } from "#tracking";
import { loggedModelRoutes } from "./logged-models.ts";
import { modelVersionRoutes } from "./model-versions.ts";
import { registeredModelRoutes } from "./registered-models.ts";
import type { RegistryContext, RegistryCallsOptions } from "./registry-context.ts";
import { webhookRoutes } from "./webhooks.ts";

/** Registered models, model versions, logged models and webhooks, as MLflow's REST API has them. */
export function createRegistryCalls(options: RegistryCallsOptions): readonly MlflowCall[] {
  const context: RegistryContext = {
    ...options,
    project: options.project ?? "default",
    artifactRoot: options.artifactRoot ?? "mlflow-artifacts:/",
    protectedAliases: options.protectedAliases ?? ["champion"],
  };
  return [
    ...registeredModelRoutes(context),
    ...modelVersionRoutes(context),
    ...loggedModelRoutes(context),
    ...webhookRoutes(context),
  ];
}
