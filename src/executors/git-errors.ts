import { defineError, type ErrorFactory } from "#base";

export const gitFailed: ErrorFactory<{ command: string; reason: string }> = defineError("EXECUTORS_GIT_FAILED", {
  status: 502,
  message: ({ command, reason }) => `git ${command} failed: ${reason}`,
  hint: ({ reason }) =>
    reason.includes("no git")
      ? "Install git."
      : "Check that the repository can be reached with git from this machine without a password prompt.",
  solve: "Make the repository reachable for the account that runs the platform, and check that git is installed.",
});

export const commitInvalid: ErrorFactory<{ commit: string }> = defineError("EXECUTORS_COMMIT_INVALID", {
  status: 400,
  message: ({ commit }) => `${JSON.stringify(commit)} is no commit: expected 40 or 64 hexadecimal digits`,
  solve: "Give the full id of the commit.",
});
