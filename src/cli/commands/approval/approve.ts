import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "approve DIGEST [--environment NAME] [--refuse] [--comment TEXT]",
  summary: "Approve a digest for an environment",
  description:
    "A decision is bound to the digest: any change of the content needs a new one. Who made it cannot approve it. Act as yourself with ESTEIRA_TOKEN.",
  options: {
    ...commonOptions,
    environment: { type: "string", value: "NAME", help: "For this environment alone; default: for all." },
    refuse: { type: "boolean", help: "Refuse instead: what waits for it fails with your comment." },
    comment: { type: "string", value: "TEXT", help: "Why." },
  },
  examples: [
    { line: "esteira approval list", does: "Shows what waits, with digests" },
    {
      line: 'ESTEIRA_TOKEN=est_… esteira approve sha256:ab12… --environment production --comment "reviewed the cells"',
      does: "Opens the gate; the waiting step goes on",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [digest = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const { pending } = await call("listApprovals");
      const matches = pending.filter(
        (each) =>
          each.digest === digest || each.digest.startsWith(digest) || each.digest.startsWith(`sha256:${digest}`),
      );
      const digests = [...new Set(matches.map((each) => each.digest))];
      if (digests.length > 1)
        throw usageWrong({
          usage: command.usage,
          reason: `${digest} fits ${digests.length} digests that wait; write more of it`,
        });
      const approval = await call("createApproval", {
        body: {
          decision: options["refuse"] === true ? "refused" : "approved",
          subjectKind: matches[0]?.subjectKind ?? "notebook",
          digest: digests[0] ?? digest,
          environment: textOption(options, "environment"),
          comment: textOption(options, "comment"),
        },
      });
      if (options["json"] === true) return terminal.printJson(approval);
      terminal.print(
        terminal.style(
          "green",
          `✔ ${terminal.say("approved", { digest: approval.digest, environment: approval.environment ?? "*", actor: approval.actor })}`,
        ),
      );
    }),
};
