import type { Change } from "#api";

/** First parts of query keys; a change makes everything below them be read again. */
const TARGETS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(pipeline_run|step_run|attempt|gate|trigger)\b/, ["overview", "pipelines", "pipeline-runs"]],
  [/^(pipeline|schedule|sensor)\b/, ["overview", "pipelines"]],
  [/^asset(_version)?\b/, ["overview", "datasets", "models", "assets", "lineage", "dashboards", "notebooks"]],
  [/^(quarantine|contract|dataset)\w*/, ["overview", "datasets"]],
  [/^feature_view\b/, ["datasets"]],
  [/^(run|experiment|logged_model)\b/, ["tracking"]],
  [/^(registered_model|model|model_version|model_alias|verdict|alias)\b/, ["overview", "models", "registry"]],
  [
    /^(endpoint|prediction|label|window|monitor|alert)\w*/,
    ["overview", "endpoints", "monitors", "alerts", "predictions"],
  ],
  [/^(approval)\w*/, ["overview", "approvals", "models", "notebooks"]],
  [/^(release|deployment|environment|rollback)\w*/, ["overview", "releases", "environments", "endpoints", "models"]],
  [/^(user|token|role)\w*/, ["session"]],
];

/** Which lists and pages a change concerns; an unknown kind of change concerns the overview. */
export function changeTargets(change: Pick<Change, "type">): readonly string[] {
  return TARGETS.find(([pattern]) => pattern.test(change.type))?.[1] ?? ["overview"];
}
