import { type Command, commonOptions } from "../../command.ts";
import { formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "approval list",
  summary: "List approvals, waiting and given",
  options: commonOptions,
  examples: [{ line: "esteira approval list", does: "What waits for a decision, then what was decided" }],
  run: (context, options) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const approvals = await call("listApprovals");
      if (options["json"] === true) return terminal.printJson(approvals);
      if (approvals.pending.length === 0) terminal.print("Nothing waits for approval.");
      for (const each of approvals.pending) {
        terminal.print(
          `${terminal.style("yellow", "⏸")} ${terminal.say("approvalPending", { subject: terminal.style("bold", each.subject), environment: each.environment, given: each.given, count: each.required, author: each.author ?? "?" })}`,
        );
        terminal.print(`  esteira approve ${each.digest} --environment ${each.environment}`);
      }
      if (approvals.given.length === 0) return;
      terminal.print();
      terminal.table([
        ["DECISION", "KIND", "FOR", "BY", "AT", "DIGEST"],
        ...approvals.given.map((each) => [
          each.decision,
          each.subjectKind,
          each.environment ?? "*",
          each.actor,
          formatTime(each.atMs),
          each.digest,
        ]),
      ]);
    }),
};
