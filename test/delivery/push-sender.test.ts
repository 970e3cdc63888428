// Push events as GitHub, GitLab, Gitea and Forgejo send them.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { isEsteiraError, systemClock } from "#base";
import { createPushHandler, type PushHandlerOptions, signPush } from "#delivery";
import { listPipelineRuns } from "#engine";
import { createGit, createRunKind } from "#executors";
import { parsePullRequest, previewNameOf } from "../../src/delivery/pull-request-event.ts";
import { openTestStore } from "../setup/stores.ts";

const SECRET = "of the webhook";
const PATH = process.env["PATH"] ?? "";

async function open(): Promise<{ readonly options: PushHandlerOptions; readonly commit: string }> {
  const { store, folder } = await openTestStore("sqlite");
  const repository = join(folder, "repository");
  await mkdir(join(repository, "pipelines"), { recursive: true });
  await writeFile(join(repository, "pipelines/ci.yaml"), "on: { push: main }\nsteps: { test: { run: 'true' } }\n");
  const git = (...words: readonly string[]): string =>
    execFileSync("git", ["-C", repository, "-c", "user.name=a", "-c", "user.email=a@b", ...words], {
      env: { PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1" },
      encoding: "utf8",
    });
  git("init", "-q", "-b", "main");
  git("add", "-A");
  git("commit", "-q", "-m", "First");
  const options: PushHandlerOptions = {
    store,
    git: createGit({ environment: { PATH, HOME: folder } }),
    project: "p",
    repository,
    mainBranch: "main",
    folder: join(folder, "checkouts"),
    kinds: [createRunKind()] as unknown as PushHandlerOptions["kinds"],
    clock: systemClock,
    secret: SECRET,
  };
  return { options, commit: git("rev-parse", "HEAD").trim() };
}

const NEW = "0".repeat(40);
const hex = (body: Buffer, secret = SECRET): string => createHmac("sha256", secret).update(body).digest("hex");

it("a push event of each sender starts the pipelines once, for the one whom it names", async () => {
  const { options, commit } = await open();
  const handle = createPushHandler(options);
  const facts = { ref: "refs/heads/main", before: NEW, after: commit };
  const bodyOf = (more: object): Buffer => Buffer.from(JSON.stringify({ ...facts, ...more }));
  // As the documentation of each shows them.
  const github = bodyOf({ pusher: { name: "octocat", email: "o@example.org" }, deleted: false });
  const gitlab = bodyOf({ object_kind: "push", user_name: "Tanuki", user_username: "tanuki", checkout_sha: commit });
  const gitea = bodyOf({ pusher: { id: 1, login: "cup", full_name: "", username: "cup" }, compare_url: "" });
  const sent = [
    { "x-github-event": "push", "x-github-delivery": "d1", "x-hub-signature-256": signPush(github, SECRET) },
    { "x-gitlab-event": "Push Hook", "x-gitlab-event-uuid": "d2", "x-gitlab-token": SECRET },
    {
      "x-gitea-event": "push",
      "x-github-event": "push",
      "x-gitea-delivery": "d3",
      "x-github-delivery": "d3",
      "x-gitea-signature": hex(gitea),
      "x-hub-signature-256": signPush(gitea, SECRET),
    },
    { "x-forgejo-event": "push", "x-forgejo-delivery": "d4", "x-forgejo-signature": hex(gitea) },
  ];
  const bodies = [github, gitlab, gitea, gitea];
  for (const [index, headers] of sent.entries()) {
    const request = { headers, body: bodies[index] ?? github };
    const first = await handle(request);
    assert.deepEqual([first.status, first.json.pipelineRuns?.length], [202, 1], JSON.stringify(headers));
    assert.deepEqual(await handle(request), { status: 200, json: first.json });
  }
  const runs = await listPipelineRuns(options.store, { project: "p" });
  assert.deepEqual(
    runs.map(({ actor }) => actor),
    ["cup", "cup", "tanuki", "octocat"],
  );
});

it("an event without a proof, or with one that does not fit, starts nothing; other events are passed over", async () => {
  const { options, commit } = await open();
  const handle = createPushHandler(options);
  const body = Buffer.from(JSON.stringify({ ref: "refs/heads/main", after: commit }));
  const good = signPush(body, SECRET);
  const bad: readonly Readonly<Record<string, string>>[] = [
    {},
    { "x-gitlab-event": "Push Hook" },
    { "x-hub-signature-256": signPush(body, "another") },
    { "x-hub-signature-256": good.slice("sha256=".length) },
    { "x-hub-signature-256": "" },
    { "x-gitlab-token": "" },
    { "x-gitlab-token": `${SECRET} ` },
    { "x-gitea-signature": good },
    { "x-gitea-signature": hex(body, "another"), "x-hub-signature-256": good },
    { "x-gitlab-token": SECRET, "x-hub-signature-256": "sha256=0" },
  ];
  for (const headers of bad)
    await assert.rejects(
      handle({ headers, body }),
      (error) => isEsteiraError(error, "DELIVERY_PUSH_UNSIGNED"),
      JSON.stringify(headers),
    );
  for (const headers of [
    { "x-gitlab-token": SECRET, "x-gitlab-event": "Note Hook" },
    { "x-hub-signature-256": good, "x-github-event": "issues" },
  ])
    assert.match((await handle({ headers, body })).json.ignored ?? "", /^event /);
  assert.deepEqual(await listPipelineRuns(options.store, { project: "p" }), []);
});

it("a pull request of each sender is read in the same way, and its preview is its own", () => {
  const read = (event: string, told: object) => parsePullRequest(Buffer.from(JSON.stringify(told)), event);
  const commit = "a".repeat(40);
  const side = (ref: string, repo: object | null) => ({ ref, sha: commit, repo });
  const own = { full_name: "o/r" };
  const facts = { title: "T", user: { login: "ana" }, base: side("main", own), html_url: "https://f/1" };
  const github = { action: "opened", number: 1, pull_request: { ...facts, head: side("x", own) } };
  const gitlab = {
    user: { username: "ana" },
    object_attributes: {
      iid: 1,
      title: "T",
      url: "https://f/1",
      state: "opened",
      action: "open",
      source_branch: "x",
      target_branch: "main",
      source_project_id: 5,
      target_project_id: 5,
      last_commit: { id: commit },
    },
  };
  const { ref: atGithub, ...one } = read("pull_request", github);
  const { ref: atGitlab, ...other } = read("Merge Request Hook", gitlab);
  assert.deepEqual(one, other);
  assert.deepEqual([atGithub, atGitlab], ["refs/pull/1/head", "refs/merge-requests/1/head"]);
  assert.equal(read("pull_request", { ...github, action: "synchronized" }).action, "synchronize");
  const update = (more: object) =>
    read("Merge Request Hook", {
      ...gitlab,
      object_attributes: { ...gitlab.object_attributes, action: "update", ...more },
    }).action;
  assert.deepEqual([update({ oldrev: commit }), update({})], ["synchronize", undefined]);
  for (const repo of [null, { full_name: "mallory/r" }]) {
    const strange = { ...github, pull_request: { ...github.pull_request, head: side("main", repo) } };
    assert.equal(read("pull_request", strange).isOutside, true);
  }
  const names = ["x", "X", "x ", "pull.1.x", "$(id)", "../..", "é", "x".repeat(300), `${"x".repeat(300)}y`];
  const previews = names.flatMap((branch) =>
    [true, false].map((isOutside) => previewNameOf({ branch, number: 1, isOutside })),
  );
  // From outside only the number counts.
  assert.equal(new Set(previews.filter((_, index) => index % 2 === 1)).size, names.length);
  for (const preview of previews) assert.match(preview, /^[a-z0-9-]*(\.[0-9a-z-]*){0,2}$/);
  assert.ok(previews.every((preview, index) => /^pull\.1\..*$/.test(preview) === (index % 2 === 0)));
  for (const wrong of ["", "[]", "null", '{"action":"opened"}', "\u{ff}"])
    assert.throws(
      () => parsePullRequest(Buffer.from(wrong), "pull_request"),
      (error) => isEsteiraError(error, "DELIVERY_PULL_REQUEST_INVALID"),
    );
});
