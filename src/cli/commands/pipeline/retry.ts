import { type Command, commonOptions, textOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { withProject } from "../../session.ts";
import { readWholeRun } from "../../whole-run.ts";
import { latestRun } from "./latest-run.ts";
import { assertStep, findItem } from "./step-run-of.ts";
import { watch } from "./run.ts";

export const command: Command = {
  usage: "retry RUN [STEP…] [--item ITEM]",
  summary: "Try again what failed in a pipeline run; what passed stays",
  description:
    "Runs again what failed, was cancelled or interrupted, and what waits for it, with the files as they are now. With steps: only these, and what waits for them. It is what run --resume does for a whole run. Exit codes as for run.",
  options: {
    ...commonOptions,
    item: {
      type: "string",
      multiple: true,
      value: "ITEM",
      help: "Of one step with for_each or a matrix, only this item (matrix: n=2); may be repeated.",
    },
  },
  examples: [
    { line: "esteira retry 01JXAMPLE", does: "Everything that did not succeed" },
    { line: "esteira retry latest delay", does: "One step of the newest run, and what waits for it" },
    { line: "esteira retry 01JXAMPLE work --item data/one.csv", does: "One item of a step with for_each" },
  ],
  positionals: { least: 1, most: 1000 },
  run: (context, options, [given = "", ...steps]) =>
    withProject(context, options, async (session) => {
      const { call, platform, identity } = session;
      await platform.registerProject(identity.name);
      const id = given === "latest" ? await latestRun(session, command.usage) : given;
      const run = await readWholeRun(call, id);
      const items = textOptions(options, "item");
      for (const step of steps) assertStep(run, step, command.usage);
      if (run.status === "running" && run.isAbandoned !== true && steps.length === 0)
        throw usageWrong({ usage: command.usage, reason: `An engine works on ${id}: name the steps to try again` });
      const body =
        items.length > 0
          ? { stepRuns: items.map((item) => findItem(run, { step: onlyOf(steps), item, usage: command.usage }).id) }
          : steps.length > 0
            ? { steps }
            : {};
      await call("resumePipelineRun", { params: { id }, body });
      return watch(session, context, { id, asJson: options["json"] === true });
    }),
};

function onlyOf([step, ...others]: readonly string[]): string {
  if (step !== undefined && others.length === 0) return step;
  throw usageWrong({ usage: command.usage, reason: "--item is of one step: name it" });
}
