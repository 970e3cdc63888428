import { defineError, type ErrorFactory } from "#base";

export const environmentUnknown: ErrorFactory<{
  environment: string;
  known: readonly string[];
  nearest: string | undefined;
}> = defineError("DELIVERY_ENVIRONMENT_UNKNOWN", {
  status: 404,
  message: ({ environment, known }) =>
    `There is no environment "${environment}"; ${known.length === 0 ? "esteira.yaml names none" : `esteira.yaml names ${known.join(", ")}`}`,
  hint: ({ nearest, environment }) =>
    nearest === undefined ? `Add it to esteira.yaml: environments: { ${environment}: {} }` : `Did you mean ${nearest}?`,
  solve: "Name an environment that `environments` in `esteira.yaml` lists, or add it there.",
});

export const assetNotDeployable: ErrorFactory<{ asset: string; kind: string }> = defineError(
  "DELIVERY_ASSET_NOT_DEPLOYABLE",
  {
    status: 400,
    message: ({ asset, kind }) => `"${asset}" is ${kind}; only code and models can be deployed`,
    solve: "Deploy an asset that a step makes as `code` or `model`.",
  },
);

export const versionMissing: ErrorFactory<{ asset: string }> = defineError("DELIVERY_VERSION_MISSING", {
  status: 404,
  message: ({ asset }) => `"${asset}" has no version that could be deployed`,
  hint: () => "Run the step that makes it first.",
  solve: "Run the pipeline that makes the asset.",
});

export const notApproved: ErrorFactory<{ asset: string; version: number; environment: string; reason: string }> =
  defineError("DELIVERY_NOT_APPROVED", {
    status: 403,
    message: ({ asset, version, environment, reason }) =>
      `${asset} ${version} may not be deployed to ${environment}: ${reason}`,
    hint: () => "Make another version, or let the refusal be revoked: esteira approval list",
    solve: "Make a version that passes its test and that reviewers do not refuse, or let the refusal be revoked.",
  });

export const commandMissing: ErrorFactory<{ asset: string; files: readonly string[] }> = defineError(
  "DELIVERY_COMMAND_MISSING",
  {
    status: 400,
    message: ({ asset, files }) =>
      `Nothing says how to start "${asset}": the deploy step has no start, and there is no package.json with a start script among ${files.join(", ")}`,
    hint: () => "Add start to the step, for example start: node server.js; it must listen on $HOST:$PORT.",
    solve: "Add `start: COMMAND` to the deploy step, or a `start` script to the release's package.json.",
  },
);

export const nothingDeployed: ErrorFactory<{
  environment: string;
  asset: string;
  known: readonly string[];
  nearest: string | undefined;
}> = defineError("DELIVERY_NOTHING_DEPLOYED", {
  status: 404,
  message: ({ environment, asset, known }) =>
    `Nothing called "${asset}" is deployed in ${environment}; deployed there: ${known.length === 0 ? "nothing" : known.join(", ")}`,
  hint: ({ nearest }) => (nearest === undefined ? "Deploy it first." : `Did you mean ${nearest}?`),
  solve: "Name an asset that is deployed in that environment.",
});

export const releaseMissing: ErrorFactory<{
  environment: string;
  asset: string;
  release: string;
  known: readonly string[];
}> = defineError("DELIVERY_RELEASE_MISSING", {
  status: 404,
  message: ({ environment, asset, release, known }) =>
    `There is no ${release} of "${asset}" in ${environment} to go back to; releases that ran there: ${known.length === 0 ? "none" : known.join(", ")}`,
  hint: () => "List them with: esteira release list",
  solve: "Name a release that was deployed in that environment before.",
});

export const pushUnsigned: ErrorFactory<{ reason: string }> = defineError("DELIVERY_PUSH_UNSIGNED", {
  status: 401,
  message: ({ reason }) => `The push was not accepted: ${reason}`,
  hint: () =>
    "The sender signs the body with the shared secret (X-Hub-Signature-256: sha256=HMAC), or GitLab sends it as its token.",
  solve: "Set the same secret in the webhook and in the project.",
});

export const pushInvalid: ErrorFactory<{ problem: string }> = defineError("DELIVERY_PUSH_INVALID", {
  status: 400,
  message: ({ problem }) => `The push event cannot be read: ${problem}`,
  hint: () => "Send the push event of GitHub, GitLab, Gitea or Forgejo as JSON: ref, before, after.",
  solve: "Send a push event of GitHub, GitLab, Gitea or Forgejo as JSON.",
});

export const pullRequestInvalid: ErrorFactory<{ problem: string }> = defineError("DELIVERY_PULL_REQUEST_INVALID", {
  status: 400,
  message: ({ problem }) => `The event of a pull request cannot be read: ${problem}`,
  hint: () => "Send the pull request event of GitHub, Gitea or Forgejo, or the merge request event of GitLab, as JSON.",
  solve: "Send the pull request event of GitHub, Gitea or Forgejo, or the merge request event of GitLab, as JSON.",
});

export const previewMissing: ErrorFactory<{
  preview: string;
  known: readonly string[];
  nearest: string | undefined;
}> = defineError("DELIVERY_PREVIEW_MISSING", {
  status: 404,
  message: ({ preview, known }) =>
    `There is no preview ${JSON.stringify(preview)}; there are: ${known.length === 0 ? "none" : known.join(", ")}`,
  hint: ({ nearest }) =>
    nearest === undefined ? "A pull request that starts a pipeline makes one." : `Did you mean ${nearest}?`,
  solve: "Name a preview as `esteira preview list` shows it.",
});

export const targetUnknown: ErrorFactory<{ target: string; known: readonly string[] }> = defineError(
  "DELIVERY_TARGET_UNKNOWN",
  {
    status: 404,
    message: ({ target, known }) =>
      `There is no target "${target}"; ${known.length === 0 ? "esteira.yaml names none" : `esteira.yaml names ${known.join(", ")}`}`,
    hint: ({ target }) => `Add it to esteira.yaml: targets: { ${target}: { ssh: … } }, or { kubernetes: … }`,
    solve: "Name a target that `targets` in `esteira.yaml` lists, or add it there.",
  },
);

export const targetKeyMissing: ErrorFactory<{ target: string; secret: string }> = defineError(
  "DELIVERY_TARGET_KEY_MISSING",
  {
    status: 400,
    message: ({ target, secret }) => `The target "${target}" needs the secret "${secret}", which is not set`,
    hint: ({ secret }) =>
      `Set ESTEIRA_SECRET_${secret} of the server to the text of the private key, or of the kubeconfig.`,
    solve: "Set the secret that the target's `key` or `kubeconfig` names to the text of the private key or kubeconfig.",
  },
);

export const targetNotIsolated: ErrorFactory<{ target: string; environment: string }> = defineError(
  "DELIVERY_TARGET_NOT_ISOLATED",
  {
    status: 403,
    message: ({ target, environment }) =>
      `The environment "${environment}" requires a sandbox, which the target "${target}" does not give`,
    hint: () => "Deploy there as a process of this machine, or let the environment require less.",
    solve: "Leave `target` out of the deploy step, or `sandbox` out of the environment.",
  },
);

export const manifestInvalid: ErrorFactory<{ place: string; problem: string; cure?: string | undefined }> = defineError(
  "DELIVERY_MANIFEST_INVALID",
  {
    status: 400,
    message: ({ place, problem }) => `The manifest cannot be applied: ${place}: ${problem}`,
    hint: ({ cure }) => cure ?? "Mend the file, or the keys manifests and values of the deploy step.",
    solve:
      "Mend the manifest: objects of the target's namespace, each once, with apiVersion, kind and metadata.name; values that the deploy step states; files that the deployed code holds.",
  },
);

export const clusterRolloutFailed: ErrorFactory<{
  asset: string;
  environment: string;
  object: string;
  reason: string;
  /** What runs now. */
  end: string;
}> = defineError("DELIVERY_CLUSTER_ROLLOUT_FAILED", {
  status: 502,
  message: ({ asset, environment, object, reason, end }) =>
    `"${asset}" does not get ready in ${environment}: ${object}: ${reason}\n${end}`,
  hint: ({ object }) => `Look at it: kubectl describe ${object}, or give it more time with health_timeout.`,
  solve: "Mend what the message names (image, start of the container, resources), or raise `health_timeout`.",
});

export const webhookClosed: ErrorFactory<{ webhook: string; secret: string }> = defineError("DELIVERY_WEBHOOK_CLOSED", {
  status: 404,
  message: ({ webhook }) => `The webhook "${webhook}" takes no calls: the server has no secret for it`,
  hint: ({ secret }) => `Start the server with ESTEIRA_SECRET_${secret} set, and sign the calls with the same value.`,
  solve: "Set `ESTEIRA_SECRET_WEBHOOK_<NAME>` in the server's environment, and sign the calls with the same value.",
});

export const webhookUnsigned: ErrorFactory<{ reason: string }> = defineError("DELIVERY_WEBHOOK_UNSIGNED", {
  status: 401,
  message: ({ reason }) => `The call was not accepted: ${reason}`,
  hint: () =>
    "X-Esteira-Signature is sha256= and the HMAC-SHA256, in hex, of DELIVERY.TIMESTAMP.BODY with the shared secret.",
  solve:
    "Send `X-Esteira-Delivery`, `X-Esteira-Timestamp` (seconds, now) and `X-Esteira-Signature: sha256=HMAC` over `<delivery>.<timestamp>.<body>`, with the secret that the server has.",
});

export const webhookInvalid: ErrorFactory<{ problem: string }> = defineError("DELIVERY_WEBHOOK_INVALID", {
  status: 400,
  message: ({ problem }) => `The call cannot be read: ${problem}`,
  hint: () => "Send JSON in UTF-8, or no body.",
  solve: "Send a body of JSON in UTF-8, at most 256 KiB, or none.",
});

export const webhookUnused: ErrorFactory<{ webhook: string }> = defineError("DELIVERY_WEBHOOK_UNUSED", {
  status: 404,
  message: ({ webhook }) => `No pipeline starts on the webhook "${webhook}"`,
  hint: ({ webhook }) => `Add on: { webhook: ${webhook} } to a pipeline; a running server reads it when it starts.`,
  solve: "Add `on: { webhook: NAME }` to a pipeline and start the server again.",
});

export const hookExists: ErrorFactory<{ path: string }> = defineError("DELIVERY_HOOK_EXISTS", {
  status: 409,
  message: ({ path }) => `${path} exists already and was not written by esteira; it was left as it is`,
  hint: () => "Call esteira's sender from that hook, or move the hook away first.",
  solve: "Move the existing `post-receive` hook away, or add the sending of push events to it.",
});

export const isolationTooWeak: ErrorFactory<{
  asset: string;
  version: number;
  environment: string;
  required: string;
  made: string;
  level: string | undefined;
}> = defineError("DELIVERY_ISOLATION_TOO_WEAK", {
  status: 403,
  message: ({ asset, version, environment, required, made, level }) =>
    `${asset} ${version} may not be deployed to ${environment}, which requires isolation "${required}": ${made} ${level === undefined ? "does not say how the process that made it was isolated" : `was made with "${level}"`}`,
  hint: () =>
    "Make it again where the machine can do what is required: install bubblewrap (on Debian: apt-get install bubblewrap).",
  solve:
    "Run the steps again on a machine that can isolate processes as the environment requires, or let the environment require less.",
});

export const strategyInvalid: ErrorFactory<{ found: string; reason: string }> = defineError(
  "DELIVERY_STRATEGY_INVALID",
  {
    status: 400,
    message: ({ found, reason }) => `The strategy ${found} cannot be used: ${reason}`,
    hint: () => "Examples: { canary: [1%, 10%, 50%], watch: 30m, rollback_on: alert }, { shadow: true, watch: 1d }.",
    solve: "Use canary with growing shares between 0% and 100%, or shadow, with the keys that the reference lists.",
  },
);

export const nothingTried: ErrorFactory<{ environment: string; endpoint: string; tried: readonly string[] }> =
  defineError("DELIVERY_NOTHING_TRIED", {
    status: 404,
    message: ({ environment, endpoint, tried }) =>
      `No version is being tried at ${environment}/${endpoint}; trials go on at: ${tried.length === 0 ? "no endpoint" : tried.join(", ")}`,
    hint: () => "A deploy step with strategy: { canary: 10% } begins one; esteira rollout show lists those that ended.",
    solve: "Name an endpoint at which a trial goes on.",
  });

export const rolloutMoveInvalid: ErrorFactory<{ action: string; state: string; reason: string }> = defineError(
  "DELIVERY_ROLLOUT_MOVE_INVALID",
  {
    status: 409,
    message: ({ action, state, reason }) => `A trial that is ${state} cannot ${action}: ${reason}`,
    solve: "Look at the trial again: it has ended, or it has no further share to go to.",
  },
);

export const rolloutChanged: ErrorFactory<{ environment: string; endpoint: string }> = defineError(
  "DELIVERY_ROLLOUT_CHANGED",
  {
    status: 409,
    message: ({ environment, endpoint }) => `${environment}/${endpoint} was changed by somebody else meanwhile`,
    hint: () => "Look at it again, then decide: esteira rollout show",
    solve: "Look at the trial again and repeat the command.",
  },
);

export const repositoryMissing: ErrorFactory<{ repository: string; known: string | undefined }> = defineError(
  "DELIVERY_HOOK_REPOSITORY_MISSING",
  {
    status: 404,
    message: ({ repository, known }) =>
      known === undefined
        ? `Nothing was pushed to ${JSON.stringify(repository)} yet`
        : `There is no repository ${JSON.stringify(repository)} here; this server has ${known}`,
    hint: ({ known }) => (known === undefined ? "Push to it first." : `The address ends with /git/${known}.`),
    solve: "Use the address `/git/PROJECT.git` of the server; the first push makes the repository.",
  },
);

export const serviceUnknown: ErrorFactory<{ service: string }> = defineError("DELIVERY_HOOK_SERVICE_UNKNOWN", {
  status: 403,
  message: ({ service }) =>
    `The service ${JSON.stringify(service)} is not served; expected git-upload-pack or git-receive-pack`,
  hint: () => "Use git 1.6.6 or newer: only its smart protocol is spoken.",
  solve: "Use a git that speaks the smart protocol (1.6.6 or newer).",
});

export const environmentEmpty: ErrorFactory<{ environment: string }> = defineError("DELIVERY_ENVIRONMENT_EMPTY", {
  status: 404,
  message: ({ environment }) => `Nothing is deployed in ${environment}`,
  hint: () => "Deploy something there first.",
  solve: "Name an environment in which something is deployed.",
});

export const stateMissing: ErrorFactory<{ environment: string; state: string }> = defineError(
  "DELIVERY_STATE_MISSING",
  {
    status: 404,
    message: ({ environment, state }) =>
      `There is no earlier state of ${environment} to go back to (${state}): nothing that runs there ran in another version then`,
    hint: () => "Name a moment such as 2026-11-28T14:00:00Z, or the id of a release that ran there.",
    solve: "Name a moment, or the id of a release that ran in the environment.",
  },
);

export const rollbackUndone: ErrorFactory<{
  environment: string;
  asset: string;
  reason: string;
  lost: readonly string[];
}> = defineError("DELIVERY_ROLLBACK_UNDONE", {
  status: 500,
  message: ({ environment, asset, reason, lost }) =>
    `${environment} was not rolled back: ${asset} does not come up (${reason}). ${lost.length === 0 ? "Everything runs as before" : `These could not be brought back to what ran before: ${lost.join(", ")}`}`,
  hint: () => "Roll the others back one by one, or mend what does not come up.",
  solve: "Mend the release that does not come up, or roll the other assets back one by one.",
});

export const sideMissing: ErrorFactory<{ side: string; environments: readonly string[] }> = defineError(
  "DELIVERY_RELEASE_UNKNOWN",
  {
    status: 404,
    message: ({ side, environments }) =>
      `There is no release or environment ${JSON.stringify(side)}; environments are ${environments.join(", ") || "none"}`,
    hint: () => "Take the id of a release from the list of releases.",
    solve: "Name an environment, or the id of a release as `esteira release list` shows it.",
  },
);
