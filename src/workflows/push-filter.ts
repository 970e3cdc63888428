import { type PipelineDefinition, type PullRequestAction, USUAL_PULL_REQUEST_ACTIONS } from "#pipeline";
import { JOB_KIND } from "./compile-workflow.ts";
import { matchesAny, passesFilter } from "./filter-pattern.ts";
import { unpinJob } from "./pinned-job.ts";
import type { EventFilter } from "./workflow-file.ts";

/** What was pushed, as filters ask for it. */
export interface PushedRef {
  readonly branch?: string | undefined;
  readonly tag?: string | undefined;
  /** Project-relative files that differ from the commit before; undefined when they are not known: all may. */
  readonly changed?: readonly string[] | undefined;
}

/** Whether a push starts a pipeline that subscribes to all pushes. True of what is no workflow. */
export function acceptsPush({ steps: [step] }: Pick<PipelineDefinition, "steps">, pushed: PushedRef): boolean {
  const text = step?.kind === JOB_KIND ? step.declaration["workflow_job"] : undefined;
  if (typeof text !== "string") return pushed.branch !== undefined;
  const { events } = unpinJob(text);
  return "push" in events && passesEvent(events.push ?? {}, pushed);
}

/** Whether a pull request starts a pipeline that subscribes to the branch that it is to be merged into. */
export function acceptsPullRequest(
  { steps: [step], on }: Pick<PipelineDefinition, "steps" | "on">,
  { action, base }: { readonly action: PullRequestAction; readonly base: string },
): boolean {
  const text = step?.kind === JOB_KIND ? step.declaration["workflow_job"] : undefined;
  if (typeof text !== "string") return on.pullRequest?.types.includes(action) === true;
  const { events } = unpinJob(text);
  if (!("pull_request" in events)) return false;
  const { types = USUAL_PULL_REQUEST_ACTIONS, ...filter } = events.pull_request ?? {};
  return types.includes(action) && passesEvent(filter, { branch: base });
}

/** Whether an event passes its filters: `branches`, `tags`, `paths` and their opposites. */
// oxlint-disable-next-line complexity -- one line for each filter
export function passesEvent(filter: EventFilter, { branch, tag, changed }: PushedRef): boolean {
  const { branches, tags, paths } = filter;
  const ignored = { branches: filter["branches-ignore"], tags: filter["tags-ignore"], paths: filter["paths-ignore"] };
  const asksBranch = branches !== undefined || ignored.branches !== undefined;
  const asksTag = tags !== undefined || ignored.tags !== undefined;
  if (tag !== undefined) {
    if (!asksTag && asksBranch) return false;
    return (
      (tags === undefined || passesFilter(tag, tags)) && !(ignored.tags !== undefined && matchesAny(tag, ignored.tags))
    );
  }
  if (branch !== undefined) {
    if (!asksBranch && asksTag) return false;
    if (branches !== undefined && !passesFilter(branch, branches)) return false;
    if (ignored.branches !== undefined && matchesAny(branch, ignored.branches)) return false;
  }
  if (changed === undefined) return true;
  if (paths !== undefined && !changed.some((path) => passesFilter(path, paths))) return false;
  const { paths: ignoredPaths } = ignored;
  return ignoredPaths === undefined || changed.some((path) => !matchesAny(path, ignoredPaths));
}
