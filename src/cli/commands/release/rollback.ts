import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { type CliSession, withProject } from "../../session.ts";

export const command: Command = {
  usage: "rollback [ASSET] --environment NAME [--to RELEASE|MOMENT] [--all] [--plan]",
  summary: "Deploy the release before, or a given one; or an environment's earlier state",
  description:
    "With --all everything in the environment goes back together, code and models, or nothing does: to the state before the pipeline run that made the newest of what is live, or the one that --to names.",
  options: {
    ...commonOptions,
    environment: { type: "string", value: "NAME", help: "Where." },
    to: {
      type: "string",
      value: "RELEASE",
      help: "Id of the release to go back to, with --all also a moment such as 2026-11-28T14:00:00Z; default: the one before.",
    },
    all: { type: "boolean", help: "Everything in the environment, together." },
    plan: { type: "boolean", help: "With --all: say what would go back, and do nothing." },
    reason: { type: "string", value: "TEXT", help: "Why; goes into the record." },
  },
  examples: [
    {
      line: "esteira rollback delay --environment production",
      does: "The version before answers again; code and models alike",
    },
    {
      line: "esteira rollback --all --environment production",
      does: "What ran before the last pipeline run answers again, the service and its model at once",
    },
  ],
  positionals: { least: 0, most: 1 },
  run: (context, options, [asset = ""]) =>
    withProject(context, options, async ({ call }) => {
      const environment = textOption(options, "environment");
      if (environment === undefined)
        throw usageWrong({ usage: command.usage, reason: "Which environment? Name it with --environment" });
      if (options["all"] === true) {
        if (asset !== "") throw usageWrong({ usage: command.usage, reason: `Either ${asset} or --all` });
        return rollBackAll(context, options, { call, environment });
      }
      if (asset === "") throw usageWrong({ usage: command.usage, reason: "Which asset? Name it, or add --all" });
      if (options["plan"] === true)
        throw usageWrong({ usage: command.usage, reason: "--plan is for --all: what else goes back is one release" });
      const { id } = await call("rollBack", {
        body: { environment, asset, to: textOption(options, "to"), reason: textOption(options, "reason") },
      });
      if (options["json"] === true) context.terminal.printJson({ release: id });
      else
        context.terminal.print(
          context.terminal.style("green", `✔ ${asset} in ${environment} runs release ${id} again.`),
        );
    }),
};

/** Everything of an environment: what, and how long it took. */
async function rollBackAll(
  { terminal }: Parameters<Command["run"]>[0],
  options: Parameters<Command["run"]>[1],
  { call, environment }: { readonly call: CliSession["call"]; readonly environment: string },
): Promise<void> {
  const to = textOption(options, "to");
  const startedMs = performance.now();
  const plan =
    options["plan"] === true
      ? await call("planEnvironmentRollback", { params: { name: environment }, query: { to } })
      : await call("rollBackEnvironment", {
          params: { name: environment },
          body: { to, reason: textOption(options, "reason") },
        });
  if (options["json"] === true) return terminal.printJson(plan);
  if (plan.changes.length > 0)
    terminal.table([
      ["KIND", "ASSET", "FROM", "TO", "RELEASE"],
      ...plan.changes.map(({ kind, asset, from, to: target }) => [
        kind,
        asset,
        String(from.version),
        String(target.version),
        target.id,
      ]),
    ]);
  for (const { asset, isNew } of plan.stays) terminal.note(terminal.say(isNew ? "staysNew" : "staysSame", { asset }));
  if (options["plan"] === true) return;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  terminal.print(
    terminal.style("green", `✔ ${terminal.say("rolledBack", { environment, count: plan.changes.length, seconds })}`),
  );
}
