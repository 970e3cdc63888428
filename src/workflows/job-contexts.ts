import { digestOf, type Json } from "#base";
import type { StepResult } from "#engine";
import { type ExpressionScope, interpolateAll, interpolateText } from "./expression.ts";
import { definedInputs, eventParamOf } from "./compile-workflow.ts";
import { inputWrong } from "./errors.ts";
import { asText, type Members, membersOf } from "./json.ts";
import type { JobDeclaration, Need, PinnedJob, WorkflowCall } from "./pinned-job.ts";
import type { WorkflowInput } from "./workflow-file.ts";

export type JobOutcome = "success" | "failure" | "cancelled" | "skipped";

/** What a job knows before it starts. */
export interface JobContexts {
  readonly github: Members;
  readonly needs: Members;
  readonly vars: Members;
  readonly inputs: Members;
}

/** What happened that a workflow is told of. */
export interface WorkflowEvent {
  readonly name: string;
  readonly payload: Members;
  readonly ref?: string | undefined;
  readonly headRef?: string | undefined;
  readonly baseRef?: string | undefined;
}

/** What the event of a run is read from. */
type EventSource = Pick<PinnedJob, "repository" | "defaultBranch" | "events">;

/** The event of a run: what triggered it, or what a person says of it. */
// oxlint-disable-next-line complexity -- one case for each event
export function eventOf(
  pinned: EventSource,
  { params, trigger }: Pick<JobDeclaration, "params" | "trigger">,
  facts: { readonly branch: string | undefined; readonly commit: string },
): WorkflowEvent {
  const kind = trigger?.["kind"];
  const branch = textOf(trigger?.["branch"]) ?? facts.branch ?? pinned.defaultBranch;
  const repository = {
    full_name: pinned.repository,
    name: pinned.repository.split("/").at(-1) ?? "",
    owner: userOf(pinned.repository.split("/")[0] ?? ""),
    default_branch: pinned.defaultBranch,
    html_url: `https://github.com/${pinned.repository}`,
    private: true,
    fork: false,
  };
  const sender = userOf(actorOf(textOf(trigger?.["pusher"]) ?? pinned.repository.split("/")[0] ?? ""));
  if (kind === "push") {
    const tag = textOf(trigger?.["tag"]);
    const ref = tag === undefined ? `refs/heads/${branch}` : `refs/tags/${tag}`;
    return { name: "push", ref, payload: { ...pushPayload(ref, facts.commit), repository, sender } };
  }
  const ref = `refs/heads/${branch}`;
  if (kind === "schedule")
    return { name: "schedule", ref, payload: { schedule: textOf(trigger?.["cron"]) ?? "", repository } };
  const given = params?.[eventParamOf(pinned.events)];
  const stated =
    kind === "pull_request" && trigger !== undefined && trigger !== null
      ? pullRequestFacts(trigger, pinned.repository)
      : typeof given === "string"
        ? { name: given }
        : membersOf(given);
  const name = textOf(stated["name"]) ?? usualEvent(pinned);
  const payload: Members = { repository, sender, ...membersOf(stated["payload"]) };
  const headRef = textOf(stated["head_ref"]);
  const baseRef = textOf(stated["base_ref"]);
  if (name === "pull_request" || name === "pull_request_target") {
    const number = Number(membersOf(payload["pull_request"])["number"] ?? payload["number"] ?? 1);
    return {
      name,
      ref: textOf(stated["ref"]) ?? `refs/pull/${number}/merge`,
      headRef: headRef ?? branch,
      baseRef: baseRef ?? pinned.defaultBranch,
      payload: {
        action: "synchronize",
        number,
        ...pullRequestOf(payload, {
          number,
          head: headRef ?? branch,
          base: baseRef ?? pinned.defaultBranch,
          commit: facts.commit,
          repository,
          user: sender,
        }),
      },
    };
  }
  if (name === "push")
    return {
      name,
      ref: textOf(stated["ref"]) ?? ref,
      payload: { ...pushPayload(textOf(stated["ref"]) ?? ref, facts.commit), ...payload },
    };
  return { name, ref: textOf(stated["ref"]) ?? ref, payload };
}

/** A pull request that a forge told of, in the form in which a person says one. */
function pullRequestFacts(trigger: Members, repository: string): Members {
  const number = trigger["number"] ?? 0;
  const isOutside = trigger["outside"] === true;
  const isMerged = trigger["merged"] === true;
  const action = asText(trigger["action"]);
  return {
    name: "pull_request",
    head_ref: asText(trigger["branch"]),
    base_ref: asText(trigger["base"]),
    payload: {
      action,
      number,
      pull_request: {
        number,
        title: asText(trigger["title"]),
        state: action === "closed" ? "closed" : "open",
        merged: isMerged,
        html_url: asText(trigger["url"]),
        user: userOf(asText(trigger["author"])),
        author_association: isOutside ? "NONE" : "MEMBER",
        ...(isOutside
          ? {
              head: {
                repo: { fork: true, full_name: `${asText(trigger["author"])}/${repository.split("/").at(-1) ?? ""}` },
              },
            }
          : {}),
      },
    },
  };
}

function pushPayload(ref: string, commit: string): Members {
  return {
    ref,
    after: commit,
    before: "0".repeat(commit.length),
    head_commit: { id: commit, message: "" },
    commits: [],
  };
}

function userOf(login: string): Members {
  return { login, id: 0, type: login.endsWith("[bot]") ? "Bot" : "User" };
}

/** A pull request within the repository, less what is said of it: from another, the caller says so. */
function pullRequestOf(
  payload: Members,
  facts: {
    readonly number: number;
    readonly head: string;
    readonly base: string;
    readonly commit: string;
    readonly repository: Members;
    readonly user: Members;
  },
): Members {
  const { number, repository, user, commit } = facts;
  const stated = membersOf(payload["pull_request"]);
  const sideOf = (ref: string, sha: string, own: Json | undefined): Members => {
    const side = membersOf(own);
    const owner = membersOf(repository["owner"]);
    return {
      ref,
      sha,
      label: `${asText(owner["login"])}:${ref}`,
      user: owner,
      ...side,
      repo: { ...repository, ...membersOf(side["repo"]) },
    };
  };
  return {
    ...payload,
    pull_request: {
      number,
      state: "open",
      title: "",
      body: "",
      draft: false,
      merged: false,
      labels: [],
      assignees: [],
      requested_reviewers: [],
      author_association: "OWNER",
      html_url: `https://github.com/${asText(repository["full_name"])}/pull/${number}`,
      user,
      ...stated,
      head: sideOf(facts.head, commit, stated["head"]),
      base: sideOf(facts.base, "0".repeat(commit.length), stated["base"]),
    },
  };
}

/** The event with what a person gave: there every value is a text, as GitHub has it. */
export function withInputs(event: WorkflowEvent, inputs: Members): WorkflowEvent {
  if (event.name !== "workflow_dispatch") return event;
  const texts = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, asText(value)]));
  return { ...event, payload: { ...event.payload, inputs: texts } };
}

/** Of a run that a person starts without saying more. */
function usualEvent({ events }: EventSource): string {
  const known = Object.keys(events);
  return ["workflow_dispatch", "push", "pull_request"].find((name) => known.includes(name)) ?? known[0] ?? "push";
}

/** `github` as GitHub gives it; what only its server knows is empty. */
export function githubContext(
  pinned: Pick<PinnedJob, "repository" | "workflow" | "file" | "job">,
  event: WorkflowEvent,
  facts: {
    readonly commit: string;
    readonly actor: string;
    readonly pipelineRunId: string;
    readonly attemptNumber: number;
    readonly runNumber: number;
    readonly workspace: string;
  },
): Members {
  const ref = event.ref ?? "";
  const number = parseInt(digestOf(facts.pipelineRunId).slice("sha256:".length, "sha256:".length + 11), 16);
  return {
    event_name: event.name,
    event: event.payload,
    ref,
    ref_name: ref.replace(/^refs\/(heads|tags|pull)\//, ""),
    ref_type: ref.startsWith("refs/tags/") ? "tag" : "branch",
    ref_protected: false,
    head_ref: event.headRef ?? "",
    base_ref: event.baseRef ?? "",
    sha: facts.commit,
    repository: pinned.repository,
    repository_owner: pinned.repository.split("/")[0] ?? "",
    repository_id: "0",
    repository_owner_id: "0",
    repositoryUrl: `git://github.com/${pinned.repository}.git`,
    run_id: String(number),
    run_number: String(facts.runNumber),
    run_attempt: String(facts.attemptNumber),
    retention_days: "90",
    actor: actorOf(facts.actor),
    actor_id: "0",
    triggering_actor: actorOf(facts.actor),
    workflow: pinned.workflow,
    workflow_ref: `${pinned.repository}/${pinned.file}@${ref}`,
    workflow_sha: facts.commit,
    job: pinned.job,
    server_url: "https://github.com",
    api_url: "https://api.github.com",
    graphql_url: "https://api.github.com/graphql",
    secret_source: "Actions",
    workspace: facts.workspace,
  };
}

function actorOf(name: string): string {
  return name.replace(/^local:/, "");
}

export interface JobFacts {
  readonly results: readonly StepResult[];
  /** The run is of this job alone: those before it count as done, and gave nothing. */
  readonly isAlone?: boolean;
  /** Jobs that cannot run here: to those behind them they were skipped. */
  readonly leftOut?: readonly string[];
}

/** How a step of a job ended; one that was left out, or has not run, was skipped. */
export function outcomeOfStep(step: string, { results, isAlone, leftOut }: JobFacts): JobOutcome {
  if (leftOut?.includes(step) === true) return "skipped";
  if (isAlone === true) return "success";
  const outcomes = results.filter((one) => one.step === step).map(outcomeOf);
  return merge(outcomes);
}

function merge(outcomes: readonly JobOutcome[]): JobOutcome {
  for (const one of ["failure", "cancelled", "success"] as const) if (outcomes.includes(one)) return one;
  return "skipped";
}

function outcomeOf({ status, facts }: StepResult): JobOutcome {
  const stated = membersOf(facts)["result"];
  if (stated === "success" || stated === "failure" || stated === "cancelled") return stated;
  if (status === "succeeded") return "success";
  return status === "failed" ? "failure" : status === "cancelled" ? "cancelled" : "skipped";
}

/** `needs` of a job: how each ended and what it gives. */
export function needsContext(needs: Readonly<Record<string, Need>>, facts: JobFacts): Members {
  return Object.fromEntries(
    Object.entries(needs).map(([id, need]) => [id, { result: resultOf(need, facts), outputs: outputsOf(need, facts) }]),
  );
}

function resultOf(need: Need, facts: JobFacts): JobOutcome {
  return need.type === "job"
    ? outcomeOfStep(need.step, facts)
    : merge(Object.values(need.jobs).map((one) => resultOf(one, facts)));
}

function outputsOf(need: Need, facts: JobFacts): Members {
  if (need.type === "job") {
    const own = facts.results.filter(({ step }) => step === need.step);
    return Object.assign({}, ...own.map(({ facts: known }) => membersOf(membersOf(known)["outputs"])));
  }
  const jobs = Object.fromEntries(
    Object.entries(need.jobs).map(([id, one]) => [
      id,
      { result: resultOf(one, facts), outputs: outputsOf(one, facts) },
    ]),
  );
  return Object.fromEntries(
    Object.entries(need.outputs).map(([name, source]) => [name, interpolateText(source, { contexts: { jobs } })]),
  );
}

/** `success()` and its like for the condition of a job: all that stands before it counts. */
export function statusFunctions(
  before: readonly string[],
  facts: JobFacts & { readonly isCancelled: boolean },
): NonNullable<ExpressionScope["functions"]> {
  const outcomes = before.map((step) => outcomeOfStep(step, facts));
  const isCancelled = facts.isCancelled || outcomes.includes("cancelled");
  return {
    success: () => !isCancelled && outcomes.every((one) => one === "success"),
    failure: () => !isCancelled && outcomes.includes("failure"),
    cancelled: () => isCancelled,
    always: () => true,
  };
}

/** Inputs that a person gave, with their types and defaults. @throws WORKFLOWS_INPUT_WRONG */
export function dispatchInputs(pinned: PinnedJob, params: JobDeclaration["params"], event: WorkflowEvent): Members {
  const inputs = definedInputs(pinned.events.workflow_dispatch?.inputs);
  if (event.name !== "workflow_dispatch") return {};
  return Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => {
      const value = params?.[name] ?? null;
      if (value === null && input.required === true)
        throw inputWrong({ input: name, reason: "it is required, and has no value" });
      return [name, typedInput(name, input, value)];
    }),
  );
}

/** Inputs of a workflow that is called, from what its caller gives. @throws WORKFLOWS_INPUT_WRONG */
export function callInputs(call: WorkflowCall, scope: ExpressionScope): Members {
  const given = membersOf(interpolateAll(call.with, scope));
  return Object.fromEntries(
    Object.entries(call.inputs).map(([name, input]) => {
      const value =
        given[name] ??
        (typeof input.default === "string" ? interpolateAll(input.default, scope) : input.default) ??
        null;
      if (value === null && input.required === true)
        throw inputWrong({ input: name, reason: `job "${call.job}" calls the workflow without it` });
      return [name, typedInput(name, input, value)];
    }),
  );
}

// oxlint-disable-next-line complexity -- one case for each type of input
function typedInput(name: string, { type = "string", options }: WorkflowInput, value: Json): Json {
  switch (type) {
    case "boolean": {
      if (value === null || value === "") return false;
      if (typeof value === "boolean") return value;
      if (value === "true" || value === "false") return value === "true";
      throw inputWrong({ input: name, reason: `${JSON.stringify(value)} is not true or false` });
    }
    case "number": {
      const number = value === null || value === "" ? 0 : Number(value);
      if (Number.isNaN(number)) throw inputWrong({ input: name, reason: `${JSON.stringify(value)} is no number` });
      return number;
    }
    case "choice":
    case "environment":
    case "string": {
      const text = asText(value);
      if (options !== undefined && text !== "" && !options.includes(text))
        throw inputWrong({ input: name, reason: `"${text}" is none of ${options.join(", ")}` });
      return text;
    }
  }
}

/** A value that may be written as an expression: `true`, `${{ matrix.experimental }}`. */
export function evaluateFlag(text: string | undefined, scope: ExpressionScope): boolean | undefined {
  if (text === undefined) return undefined;
  const value = interpolateAll(text, scope);
  return value === true || value === "true";
}

export function evaluateNumber(text: string | undefined, scope: ExpressionScope): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(interpolateAll(text, scope));
  return Number.isFinite(value) ? value : undefined;
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
