import { defineError, type ErrorFactory } from "#base";

export const commandUnknown: ErrorFactory<{ found: string; nearest: string | undefined }> = defineError(
  "CLI_COMMAND_UNKNOWN",
  {
    status: 400,
    message: ({ found }) => `There is no command "esteira ${found}"`,
    hint: ({ nearest }) =>
      nearest === undefined
        ? "See them all: esteira --help"
        : `Did you mean "esteira ${nearest}"? See them all: esteira --help`,
    solve: "Run `esteira --help` for the list of commands.",
  },
);

export const usageWrong: ErrorFactory<{ usage: string; reason: string }> = defineError("CLI_USAGE_WRONG", {
  status: 400,
  message: ({ reason }) => reason,
  hint: ({ usage }) => `Usage: esteira ${usage}`,
  solve: "Run the command with `--help` for its options and examples.",
});

export const retrainingUnknown: ErrorFactory<{ pipeline: string; known: readonly string[] }> = defineError(
  "CLI_RETRAINING_UNKNOWN",
  {
    status: 404,
    message: ({ pipeline }) => `Pipeline "${pipeline}" has no policy for training again`,
    hint: ({ known }) =>
      known.length === 0
        ? "No pipeline has one: write `retrain:` into its file."
        : `These have one: ${known.join(", ")}`,
    solve: "Name a pipeline with `retrain:` in its file; `esteira retraining list` lists them.",
  },
);

export const keyExists: ErrorFactory<{ file: string }> = defineError("CLI_KEY_EXISTS", {
  status: 409,
  message: ({ file }) => `${file} is there already and was left as it is`,
  solve: "Name another file with `--key`.",
});

export const keyUnreadable: ErrorFactory<{ file: string; reason: string }> = defineError("CLI_KEY_UNREADABLE", {
  status: 400,
  message: ({ file, reason }) => `The key in ${file} cannot be read: ${reason}`,
  hint: () => "Set ESTEIRA_KEY_PASSPHRASE to its passphrase, or name another file with --key.",
  solve: "Set `ESTEIRA_KEY_PASSPHRASE` to the passphrase of the key, or name the right file with `--key`.",
});
