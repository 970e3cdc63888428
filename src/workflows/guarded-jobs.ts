import type { PlacedJob, WorkflowSettings } from "./compile-workflow.ts";
import { conditionSource, holds } from "./expression.ts";
import { eventOf, githubContext } from "./job-contexts.ts";
import { passesEvent } from "./push-filter.ts";
import type { WorkflowEvents } from "./workflow-file.ts";

const NOTHING = "0".repeat(40);
const STATUS = { success: () => true, failure: () => false, cancelled: () => false, always: () => true };

/**
 * True for a job that the ordinary runs of its workflow never reach: its own condition, or that of the outermost call
 * around it, is false for a push to the default branch and for a pull request to it, whatever the jobs before it came
 * to. So are releases that wait for a tag, and what is kept for another repository.
 */
export function isGuarded(job: PlacedJob, events: WorkflowEvents, settings: WorkflowSettings): boolean {
  const condition = job.calls[0] === undefined ? job.content.if : job.calls[0].if;
  if (condition === undefined || /\b(needs|inputs)\b/.test(withoutTexts(conditionSource(condition)))) return false;
  const ordinary = ordinaryEvents(events, settings.defaultBranch);
  return ordinary.length > 0 && ordinary.every((name) => !mayHold(condition, { name, job, events, settings }));
}

function withoutTexts(source: string): string {
  return source.replaceAll(/'(?:[^']|'')*'/g, "''");
}

/** Those that a push to the default branch, or a pull request to it, starts. */
function ordinaryEvents(events: WorkflowEvents, branch: string): readonly string[] {
  return (["push", "pull_request"] as const).filter(
    (name) => name in events && passesEvent(events[name] ?? {}, { branch }),
  );
}

function mayHold(
  condition: string,
  facts: {
    readonly name: string;
    readonly job: PlacedJob;
    readonly events: WorkflowEvents;
    readonly settings: WorkflowSettings;
  },
): boolean {
  const { job, events, settings } = facts;
  const { repository, defaultBranch, vars } = settings;
  const { file } = job.workflow;
  const told = { repository, defaultBranch, events, file, workflow: job.workflow.content.name ?? file, job: job.id };
  const event = eventOf(
    told,
    { params: { event: facts.name, github_event: facts.name }, trigger: null },
    { branch: defaultBranch, commit: NOTHING },
  );
  const github = githubContext(told, event, {
    commit: NOTHING,
    actor: "",
    pipelineRunId: "",
    attemptNumber: 1,
    runNumber: 1,
    workspace: "",
  });
  try {
    return holds(condition, { contexts: { github, vars }, functions: STATUS });
  } catch {
    // What cannot be asked now is asked when it runs.
    return true;
  }
}
