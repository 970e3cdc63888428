import type { Identity } from "#access";
import type { MlflowCaller } from "#tracking";

/** Who asks an open route: clients do before they know any credentials. */
const ANYBODY: MlflowCaller = { name: "anonymous", user: "anonymous" };

/** An identity as MLflow's calls know it. */
export function toMlflowCaller(identity: Identity | undefined): MlflowCaller {
  if (identity === undefined) return ANYBODY;
  const { name, kind, attempt } = identity;
  return {
    name,
    user: attempt?.startedBy ?? name,
    isSignedIn: kind !== "local",
    ...(attempt === undefined ? {} : { attempt }),
  };
}
