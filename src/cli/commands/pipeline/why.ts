import { explainStep } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { formatStatus, formatTime } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "why STEP [--pipeline NAME]",
  summary: "Explain why a step ran or was cached",
  options: {
    ...commonOptions,
    pipeline: { type: "string", value: "NAME", help: "Needed only when two pipelines have a step of that name." },
  },
  examples: [
    {
      line: "esteira why training_set",
      does: "What happened last, what would happen now, and which part of its cache key changed",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [step = ""]) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal } = context;
      const why = await explainStep(platform, { step, pipeline: textOption(options, "pipeline") });
      if (options["json"] === true) return terminal.printJson(why);
      terminal.print(`${terminal.style("bold", why.step)} ${terminal.style("dim", `in ${why.pipeline}`)}`);
      if (why.last === undefined) terminal.print("  last: it has never run");
      else
        terminal.print(
          `  last: ${formatStatus(terminal, why.last.status, why.last.cached ? terminal.say("cached") : why.last.status)} ${why.last.finishedAtMs === undefined ? "" : formatTime(why.last.finishedAtMs)}  ${why.last.reason ?? ""}`,
        );
      terminal.print(`  now:  ${why.next.action}: ${why.next.reason}`);
      for (const change of why.changes) terminal.print(`        · ${change}`);
      if (why.key !== undefined) terminal.print(terminal.style("dim", `  key:  ${why.key}`));
    }),
};
