import { authorize, type Identity } from "#access";
import type { MlflowCaller } from "#tracking";

/**
 * An identity as MLflow's calls ask it. A step's attempt reads as a viewer does and may write at all only here, where
 * `AttemptScope`
 * then looks at what.
 *
 * @param project project whose roles count
 */
export function toMlflowCaller(identity: Identity, project: string): MlflowCaller {
  const { name, kind, attempt } = identity;
  return {
    name,
    user: attempt?.startedBy ?? name,
    isSignedIn: kind !== "local",
    ...(attempt === undefined ? {} : { attempt }),
    assertMay(action) {
      if (action === "write" && attempt?.project === project) return;
      authorize(identity, action, project);
    },
  };
}
