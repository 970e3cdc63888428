import { defineError, type ErrorFactory } from "#base";

export const authorCannotApprove: ErrorFactory<{ actor: string; subject: string; authors: readonly string[] }> =
  defineError("GOVERNANCE_AUTHOR_CANNOT_APPROVE", {
    status: 403,
    message: ({ actor, subject, authors }) =>
      `${actor} had a part in making ${subject} and cannot approve it (made by ${authors.join(", ")})`,
    hint: () => "Ask another reviewer of the project.",
    solve: "Let somebody approve who did not make the notebook, the model, the commit or the request.",
  });

export const reviewerRequired: ErrorFactory<{ actor: string; project: string; role: string | undefined }> = defineError(
  "GOVERNANCE_REVIEWER_REQUIRED",
  {
    status: 403,
    message: ({ actor, project, role }) =>
      `${actor} cannot approve in project ${project}: that needs the role reviewer, found ${role ?? "none"}`,
    hint: ({ actor, project }) =>
      `An administrator can grant it: esteira user grant ${actor} reviewer --project ${project}`,
    solve: "Grant the role `reviewer` in the project, or ask a reviewer.",
  },
);

export const subjectUnknown: ErrorFactory<{ digest: string; project: string; pending: readonly string[] }> =
  defineError("GOVERNANCE_SUBJECT_UNKNOWN", {
    status: 404,
    message: ({ digest, project, pending }) =>
      `Project ${project} knows nothing with digest ${digest}, so nobody can say who made it; waiting for approval: ${pending.length === 0 ? "nothing" : pending.join(", ")}`,
    hint: () => "Approve a digest that `esteira approval list` shows; any change of the content gives another digest.",
    solve: "Approve the digest that `esteira approval list` or the page shows.",
  });

export const approvalMissing: ErrorFactory<{ id: string }> = defineError("GOVERNANCE_APPROVAL_MISSING", {
  status: 404,
  message: ({ id }) => `There is no standing approval ${id}`,
  hint: () => "List them with: esteira approval list",
  solve: "Use an id that `esteira approval list` shows; a revoked one cannot be revoked again.",
});

export const revocationDenied: ErrorFactory<{ actor: string; id: string; by: string }> = defineError(
  "GOVERNANCE_REVOCATION_DENIED",
  {
    status: 403,
    message: ({ actor, id, by }) => `${actor} cannot revoke approval ${id}, which ${by} gave`,
    hint: () => "Only who gave it, or an administrator, can revoke it.",
    solve: "Let the one who approved, or an administrator, revoke it.",
  },
);

export const traceUnknown: ErrorFactory<{ kind: string; id: string }> = defineError("GOVERNANCE_TRACE_UNKNOWN", {
  status: 404,
  message: ({ kind, id }) => `There is no ${kind} ${id}`,
  hint: ({ kind }) =>
    kind === "prediction"
      ? "The id is in predictionIds of the endpoint's answer; it may have been removed by retention."
      : "Name an asset (`flights`), one of its versions (`flights@3`), or an id. `esteira dataset list` and `esteira model list` show the assets.",
  solve: "Use an id that the platform gave out.",
});

export const recipeUnknown: ErrorFactory<{ asset: string; wanted: string }> = defineError("GOVERNANCE_RECIPE_UNKNOWN", {
  status: 404,
  message: ({ asset, wanted }) => `"${asset}" has no recipe ${wanted}`,
  hint: () => "Write a version number, approved or waiting; versions made before recipes have none.",
  solve: "Look which versions there are with `esteira model list`; run the pipeline to make one with a recipe.",
});

export const rulesUnknown: ErrorFactory<{
  environment: string;
  known: readonly string[];
  nearest: string | undefined;
}> = defineError("GOVERNANCE_RULES_UNKNOWN", {
  status: 404,
  message: ({ environment, known }) =>
    `There are no rules of an environment "${environment}"; known: ${known.length === 0 ? "none" : known.join(", ")}`,
  hint: ({ nearest }) =>
    nearest === undefined ? "Name it under environments in esteira.yaml." : `Did you mean ${nearest}?`,
  solve: "Name an environment that `environments` in `esteira.yaml` lists, or that something was deployed to.",
});

export const signatureNeeded: ErrorFactory<{ environment: string }> = defineError("GOVERNANCE_SIGNATURE_NEEDED", {
  status: 403,
  message: ({ environment }) => `Approvals for ${environment} are signed, and this one is not`,
  hint: () => "Make a key once with esteira key create; esteira approve then signs with it.",
  solve: "Make a key with `esteira key create`, and approve with `esteira approve`, which signs with it.",
});

export const signatureInvalid: ErrorFactory<{ problem: string }> = defineError("GOVERNANCE_SIGNATURE_INVALID", {
  status: 403,
  message: ({ problem }) => `The signed decision does not hold: ${problem}`,
  hint: () => "Look at what waits now, and sign that: esteira approval list",
  solve: "Sign what waits now, with a key of your own that was not revoked.",
});

/** Whole milliseconds that a calendar has a date for. */
export function isMoment(ms: number): boolean {
  return Number.isInteger(ms) && !Number.isNaN(new Date(ms).getTime());
}

function momentText(ms: number): string {
  return isMoment(ms) ? new Date(ms).toISOString() : String(ms);
}

export const expiryInvalid: ErrorFactory<{
  expiresAtMs: number;
  /** An approval of the same person that lasts longer. */
  standing?: { readonly id: string; readonly expiresAtMs: number | undefined };
}> = defineError("GOVERNANCE_EXPIRY_INVALID", {
  status: 400,
  message: ({ expiresAtMs, standing }) => {
    const end = `An approval cannot end at ${momentText(expiresAtMs)}`;
    if (standing === undefined) return `${end}, which is ${isMoment(expiresAtMs) ? "past" : "no moment of time"}`;
    const known = standing.expiresAtMs === undefined ? "never" : `at ${momentText(standing.expiresAtMs)}`;
    return `${end}: you gave one already that ends ${known}`;
  },
  hint: ({ standing }) =>
    standing === undefined ? "Name a time that is to come." : `Take that one back first; its id is ${standing.id}.`,
  solve: "Name a time that is to come; revoke the approval that lasts longer.",
});

export const keyInvalid: ErrorFactory<{ problem: string }> = defineError("GOVERNANCE_KEY_INVALID", {
  status: 400,
  message: ({ problem }) => `The key cannot be registered: ${problem}`,
  hint: () => "Make one with: esteira key create",
  solve: "Register an Ed25519 key of your own, with a proof that you have it: `esteira key create` does both.",
});

export const keyUnproven: ErrorFactory<{ user: string }> = defineError("GOVERNANCE_KEY_UNPROVEN", {
  status: 409,
  message: ({ user }) => `The proof does not show that ${user} has the private key`,
  hint: () => "The proof is a signature of the text that names the user and the key. Make it with: esteira key create",
  solve: "Sign with the private key of the public key that is registered, in your own name.",
});

export const keyMissing: ErrorFactory<{ id: string }> = defineError("GOVERNANCE_KEY_MISSING", {
  status: 404,
  message: ({ id }) => `There is no key ${id} in force`,
  hint: () => "List them with: esteira key list",
  solve: "Use an id that `esteira key list` shows; a revoked one cannot be revoked again.",
});

export const keyRevocationDenied: ErrorFactory<{ actor: string; id: string; user: string }> = defineError(
  "GOVERNANCE_KEY_REVOCATION_DENIED",
  {
    status: 403,
    message: ({ actor, id, user }) => `${actor} cannot revoke the key ${id} of ${user}`,
    hint: () => "Only its owner, or an administrator of every project, can.",
    solve: "Let its owner, or an administrator of every project, revoke it.",
  },
);
