import type { MetadataStore } from "#metadata-store";
import { claimCommitChecks, type CommitCheck, nextCommitCheckMs, saveCommitCheck } from "#metadata-store/delivery";
import type { Channel, Message } from "#outbox";

const FORGES = ["github", "gitlab", "gitea", "forgejo"] as const;
export type ForgeKind = (typeof FORGES)[number];

/** Where the repository of a project is, and how it is told of its commits. */
export interface Forge {
  readonly kind: ForgeKind;
  /** Address of its API for GitHub, of itself for the others; without a slash at the end. */
  readonly url: string;
  /** `owner/name`; GitLab: with all groups. */
  readonly repository: string;
  /** Name of the secret with the token that may write commit statuses. */
  readonly token: string;
}

export interface CommitStatusOptions {
  readonly store: MetadataStore;
  readonly project: string;
  readonly forge: Forge;
  /** Value of a secret by name; undefined when it is not set. */
  readonly secret: (name: string) => string | undefined;
  /** Where people look at a pipeline run; undefined: the server has no address that they reach. */
  readonly linkTo: (pipelineRunId: string) => string | undefined;
}

const MOST_ATTEMPTS = 10;
/** A token that lacks a right, and a commit that the forge does not know yet, may be right the next time. */
const WORTH_ANOTHER = [401, 403, 404, 408, 409, 422, 429];

interface CheckMessage extends Message {
  readonly check: CommitCheck;
}

/**
 * Tells a forge how the pipeline runs of its commits go: the status of each is told once it is another than what was
 * told last; what was passed over meanwhile is not. A failure is tried again after 2 s, 4 s, 8 s, …, ten times.
 */
export function createCommitStatusChannel(options: CommitStatusOptions): Channel<CheckMessage> {
  const { project, forge, secret } = options;
  return {
    name: "commit status",
    mostAttempts: MOST_ATTEMPTS,
    isWorthAnother: (status) => status >= 500 || WORTH_ANOTHER.includes(status),
    pauseMs: (attempts) => Math.min(10 * 60_000, 1000 * 2 ** attempts),
    nextDueMs: (transaction) => nextCommitCheckMs(transaction, project),
    claim: async (transaction, claim) =>
      (await claimCommitChecks(transaction, { ...claim, project })).map((check) => toMessage(check, options)),
    dress: (_message) => {
      const token = secret(forge.token);
      return Promise.resolve(
        token === undefined || token === ""
          ? { refused: `the secret "${forge.token}" is not set` }
          : { secret: undefined, authorization: `Bearer ${token}` },
      );
    },
    record: (transaction, { check }, { state, attempts, dueAtMs, error }) =>
      saveCommitCheck(transaction, {
        pipelineRunId: check.pipelineRunId,
        status: check.status,
        state,
        attempts,
        nextAtMs: dueAtMs,
        lastError: error,
      }),
  };
}

type RunState = "pending" | "running" | "success" | "failure" | "error";

function stateOf(status: CommitCheck["status"]): RunState {
  switch (status) {
    case "queued":
      return "pending";
    case "running":
    case "waiting":
    case "interrupted":
      return "running";
    case "succeeded":
      return "success";
    case "failed":
      return "failure";
    case "cancelled":
      return "error";
  }
}

const TEXTS: Readonly<Record<CommitCheck["status"], string>> = {
  queued: "waits for its turn",
  running: "runs",
  waiting: "waits for a person",
  interrupted: "was interrupted, and goes on with its engine",
  succeeded: "succeeded",
  failed: "failed",
  cancelled: "was cancelled",
};

/** Sources: docs.github.com "Commit statuses"; docs.gitlab.com "Commits API"; Gitea's `/repos/…/statuses/…`. */
function toMessage(check: CommitCheck, { forge, linkTo }: CommitStatusOptions): CheckMessage {
  const context = `esteira/${check.pipeline}`;
  const state = stateOf(check.status);
  const description = TEXTS[check.status];
  const link = linkTo(check.pipelineRunId);
  const target = link === undefined ? {} : { target_url: link };
  const path = forge.repository.split("/").map(encodeURIComponent).join("/");
  const address =
    forge.kind === "gitlab"
      ? `${forge.url}/api/v4/projects/${encodeURIComponent(forge.repository)}/statuses/${check.commit}`
      : `${forge.url}${forge.kind === "github" ? "" : "/api/v1"}/repos/${path}/statuses/${check.commit}`;
  const body =
    forge.kind === "gitlab"
      ? { state: toGitlab(state), name: context, description, ...target }
      : { state: state === "running" ? "pending" : state, context, description, ...target };
  return {
    id: `${check.pipelineRunId}:${check.status}`,
    url: address,
    body: JSON.stringify(body),
    attempts: check.attempts,
    check,
  };
}

function toGitlab(state: RunState): string {
  return state === "failure" ? "failed" : state === "error" ? "canceled" : state;
}
