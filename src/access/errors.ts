import { defineError, type ErrorFactory } from "#base";

export const unauthenticated: ErrorFactory<{ reason: string }> = defineError("ACCESS_UNAUTHENTICATED", {
  status: 401,
  message: ({ reason }) => `The request is not signed in: ${reason}`,
  hint: () =>
    "Send a token: MLFLOW_TRACKING_TOKEN=…, ESTEIRA_TOKEN=…, or user name and token as MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
  solve:
    "Create a token with `esteira token create` and send it as Bearer token, or as the password of HTTP Basic authentication.",
});

export const denied: ErrorFactory<{
  name: string;
  action: string;
  project: string;
  role: string | undefined;
  needed: string;
}> = defineError("ACCESS_DENIED", {
  status: 403,
  message: ({ name, action, project, role, needed }) =>
    `${name} may not ${action} in project ${project}: that needs the role ${needed}, found ${role ?? "none"}`,
  hint: ({ name, needed, project }) =>
    `An administrator can grant it: esteira user grant ${name} ${needed} --project ${project}`,
  solve: "Ask an administrator of the project for the role that the message names.",
});

export const tokenLimited: ErrorFactory<{ name: string; action: string; only: string }> = defineError(
  "ACCESS_TOKEN_LIMITED",
  {
    status: 403,
    message: ({ name, action, only }) => `This token of ${name} may only ${only}, not ${action}`,
    hint: () => "Use another token of the user: one that was made without --only.",
    solve: "Send a token that was made without `--only`, or one for the action that the message names.",
  },
);

export const attemptLimited: ErrorFactory<{
  attemptId: string;
  action: string;
  project: string;
  allowed: readonly string[];
}> = defineError("ACCESS_ATTEMPT_LIMITED", {
  status: 403,
  message: ({ attemptId, action, project, allowed }) =>
    `The token of attempt ${attemptId} may ${allowed.join(", ")} in its own project, not ${action} in project ${project}`,
  hint: () => "Give the step a user's token as a secret: secrets: [NAME] in the pipeline.",
  solve: "Use a token of a user or a service account whose role allows the action; steps get one as a secret.",
});

export const actionInvalid: ErrorFactory<{ action: string; expected: readonly string[] }> = defineError(
  "ACCESS_ACTION_INVALID",
  {
    status: 400,
    message: ({ action, expected }) =>
      `A token cannot be limited to ${JSON.stringify(action)}; expected one of ${expected.join(", ")}`,
    solve: "Use `predict` or `read`, or leave the limit out.",
  },
);

export const userMissing: ErrorFactory<{ name: string; known: readonly string[]; nearest: string | undefined }> =
  defineError("ACCESS_USER_MISSING", {
    status: 404,
    message: ({ name, known }) =>
      `There is no user ${JSON.stringify(name)}; known: ${known.length === 0 ? "none" : known.join(", ")}`,
    hint: ({ nearest, name }) =>
      nearest === undefined ? `Create it: esteira user create ${name}` : `Did you mean ${nearest}?`,
    solve: "Use the name of an existing user, or create the user first.",
  });

export const userExists: ErrorFactory<{ name: string }> = defineError("ACCESS_USER_EXISTS", {
  status: 409,
  message: ({ name }) => `The user ${name} already exists`,
  hint: ({ name }) => `Grant roles to it with: esteira user grant ${name} ROLE`,
  solve: "Choose another name, or change the roles of the existing user.",
});

export const userNameInvalid: ErrorFactory<{ name: string }> = defineError("ACCESS_USER_NAME_INVALID", {
  status: 400,
  message: ({ name }) =>
    `${JSON.stringify(name)} is no user name: expected 1 to 64 letters, digits, '.', '_', '-' or '@', and not 'engine'`,
  solve: "Use letters, digits, `.`, `_`, `-` and `@`; `engine` is the platform itself.",
});

export const roleInvalid: ErrorFactory<{ role: string; expected: readonly string[]; nearest: string | undefined }> =
  defineError("ACCESS_ROLE_INVALID", {
    status: 400,
    message: ({ role, expected }) => `${JSON.stringify(role)} is no role; expected one of ${expected.join(", ")}`,
    hint: ({ nearest }) =>
      nearest === undefined ? "Roles go from viewer (least) to admin (most)." : `Did you mean ${nearest}?`,
    solve: "Use viewer, contributor, reviewer or admin.",
  });

export const tokenMissing: ErrorFactory<{ id: string }> = defineError("ACCESS_TOKEN_MISSING", {
  status: 404,
  message: ({ id }) => `There is no token ${id}`,
  hint: () => "List them with: esteira token list",
  solve: "Use the id that `esteira token list` shows.",
});

export const grantMissing: ErrorFactory<{
  name: string;
  project: string;
  held: readonly { readonly project: string; readonly role: string }[];
}> = defineError("ACCESS_GRANT_MISSING", {
  status: 404,
  message: ({ name, project, held }) =>
    `${name} holds no role in ${project === "*" ? "every project" : `project ${project}`}; holds: ${held.length === 0 ? "none" : held.map((grant) => `${grant.role} in ${grant.project}`).join(", ")}`,
  hint: () =>
    "Name the project of the role that is to go: esteira user revoke USER --project PROJECT ('*' for a role in every project)",
  solve: "Name the project in which `esteira user list` shows a role of the user.",
});

export const lastAdministrator: ErrorFactory<{ name: string }> = defineError("ACCESS_LAST_ADMINISTRATOR", {
  status: 409,
  message: ({ name }) => `${name} is the last administrator of every project and must stay one`,
  hint: () => "Make another user administrator first: esteira user grant NAME admin --project '*'",
  solve: "Grant `admin` for every project to another user first.",
});
