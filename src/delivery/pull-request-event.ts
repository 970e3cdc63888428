import { z } from "zod";
import { assertJsonDepth, digestOf, messageOf } from "#base";
import type { PullRequestState } from "#metadata-store/delivery";
import { pullRequestInvalid } from "./errors.ts";

const ACTIONS = ["opened", "synchronize", "reopened", "closed"] as const;

/** What a forge told of a pull request, in GitHub's words. */
export interface PullRequestEvent {
  readonly number: number;
  /** Undefined: something of it changed that starts nothing (a label, a title). */
  readonly action: (typeof ACTIONS)[number] | undefined;
  readonly state: PullRequestState;
  readonly title: string;
  readonly author: string;
  readonly branch: string;
  readonly base: string;
  readonly commit: string;
  readonly url: string;
  /**
   * From another repository. Who wrote it says nothing: a branch of the repository itself is what only those can write
   * to who may.
   */
  readonly isOutside: boolean;
  /** Where the repository itself has the commit, also of another repository. */
  readonly ref: string;
}

const COMMIT = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);
const NUMBER = z
  .int()
  .min(1)
  .max(2 ** 31);
const BRANCH = z.string().min(1).max(500);
const name = z.string().max(200);
const repository = z.object({ id: z.union([z.number(), z.string()]).optional(), full_name: name }).nullish();
const user = z.object({ login: name.optional(), username: name.optional() }).nullish();

/** GitHub's; Gitea and Forgejo send the same. Source: docs.github.com, "Webhook events and payloads", pull_request. */
const githubSchema = z.object({
  action: z.string(),
  number: NUMBER,
  pull_request: z.object({
    title: z.string().max(2000).default(""),
    html_url: z.string().max(2000).default(""),
    state: z.string().optional(),
    merged: z.boolean().nullish(),
    user,
    head: z.object({ ref: BRANCH, sha: COMMIT, repo: repository }),
    base: z.object({ ref: BRANCH, repo: repository }),
  }),
});

/** Source: docs.gitlab.com, "Webhook events", merge request events. */
const gitlabSchema = z.object({
  user,
  object_attributes: z.object({
    iid: NUMBER,
    title: z.string().max(2000).default(""),
    url: z.string().max(2000).default(""),
    state: z.string(),
    action: z.string().optional(),
    /** The commit before: only where there are new ones. */
    oldrev: z.string().optional(),
    source_branch: BRANCH,
    target_branch: BRANCH,
    source_project_id: z.number().nullable(),
    target_project_id: z.number(),
    last_commit: z.object({ id: COMMIT }),
  }),
});

const GITHUB_ACTIONS: Readonly<Record<string, (typeof ACTIONS)[number]>> = {
  opened: "opened",
  synchronize: "synchronize",
  // Gitea's and Forgejo's word.
  synchronized: "synchronize",
  reopened: "reopened",
  closed: "closed",
};

const GITLAB_ACTIONS: Readonly<Record<string, (typeof ACTIONS)[number]>> = {
  open: "opened",
  reopen: "reopened",
  close: "closed",
  merge: "closed",
};

/** True for the names that forges give the event. */
export function isPullRequestEvent(event: string): boolean {
  return event === "pull_request" || event === "pull_request_sync" || event === "Merge Request Hook";
}

/** Reads the body of an event whose sender is proven. @throws DELIVERY_PULL_REQUEST_INVALID */
export function parsePullRequest(body: Uint8Array, event: string): PullRequestEvent {
  const value = parseJson(body);
  return event === "Merge Request Hook"
    ? fromGitlab(check(gitlabSchema, value))
    : fromGithub(check(githubSchema, value));
}

function fromGithub({ action, number, pull_request: told }: z.output<typeof githubSchema>): PullRequestEvent {
  const { head, base } = told;
  const isClosed = action === "closed" || told.state === "closed";
  return {
    number,
    action: GITHUB_ACTIONS[action],
    state: told.merged === true ? "merged" : isClosed ? "closed" : "open",
    title: told.title,
    author: told.user?.login ?? told.user?.username ?? "",
    branch: head.ref,
    base: base.ref,
    commit: head.sha,
    url: told.html_url,
    // A repository that is gone was another one.
    isOutside: head.repo === null || head.repo === undefined || head.repo.full_name !== base.repo?.full_name,
    ref: `refs/pull/${number}/head`,
  };
}

function fromGitlab({ user: sender, object_attributes: told }: z.output<typeof gitlabSchema>): PullRequestEvent {
  const action = told.action === "update" ? undefined : GITLAB_ACTIONS[told.action ?? ""];
  return {
    number: told.iid,
    action: action ?? (told.action === "update" && told.oldrev !== undefined ? "synchronize" : undefined),
    state: told.state === "merged" ? "merged" : told.state === "closed" ? "closed" : "open",
    title: told.title,
    author: sender?.username ?? sender?.login ?? "",
    branch: told.source_branch,
    base: told.target_branch,
    commit: told.last_commit.id,
    url: told.url,
    isOutside: told.source_project_id !== told.target_project_id,
    ref: `refs/merge-requests/${told.iid}/head`,
  };
}

const LONGEST_PREVIEW = 40;

/**
 * Name of the preview of a pull request: its branch in a–z, 0–9 and -. Two branches never share one, and what comes
 * from another repository never has that of a branch of this one.
 */
export function previewNameOf({
  branch,
  number,
  isOutside,
}: Pick<PullRequestEvent, "branch" | "number" | "isOutside">): string {
  const plain = branch
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, LONGEST_PREVIEW)
    .replace(/-+$/, "");
  if (isOutside) return `pull.${number}.${plain}`;
  return plain === branch ? plain : `${plain}.${digestOf(branch).slice("sha256:".length, "sha256:".length + 6)}`;
}

function parseJson(body: Uint8Array): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    assertJsonDepth(text);
    return JSON.parse(text);
  } catch (error) {
    throw pullRequestInvalid({ problem: `it is no JSON (${messageOf(error)})` }, error);
  }
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const found = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw pullRequestInvalid({ problem: found.join("; ") });
}
