import { describeOrigin, planPipeline } from "#app";
import { type Command, commonOptions, textOption, textOptions } from "../../command.ts";
import { readParams } from "../../params.ts";
import { withProject } from "../../session.ts";

const SIGNS = {
  run: ["cyan", "▶ run"],
  cached: ["green", "✔ cached"],
  depends: ["yellow", "? depends"],
  skip: ["dim", "↷ skip"],
} as const;

export const command: Command = {
  usage: "plan [PIPELINE] [--partition NAME] [--param k=v] [--from STEP] [--only STEP]",
  summary: "Say what would run, what is cached, and why",
  options: {
    ...commonOptions,
    param: { type: "string", multiple: true, value: "NAME=VALUE", help: "A param of the pipeline; may be repeated." },
    partition: { type: "string", value: "NAME", help: "As for run; default: the newest that is over." },
    from: { type: "string", value: "STEP", help: "As for run." },
    only: { type: "string", value: "STEP", help: "As for run." },
  },
  examples: [
    { line: "esteira plan", does: "Every pipeline; nothing is run" },
    { line: "esteira plan delay --param max_depth=8", does: "One pipeline with another param" },
  ],
  positionals: { least: 0, most: 1 },
  run: (context, options, [pipeline]) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal } = context;
      const plans = await planPipeline(platform, {
        pipeline,
        params: readParams(textOptions(options, "param"), command.usage),
        partition: textOption(options, "partition"),
        from: textOption(options, "from"),
        only: textOption(options, "only"),
      });
      if (options["json"] === true) return terminal.printJson(plans);
      if (plans.length === 0) return terminal.print(terminal.say("noPipelines"));
      for (const plan of plans) {
        terminal.print(terminal.style("bold", plan.pipeline));
        terminal.table([
          [`  ${terminal.say("step")}`, terminal.say("kind"), "", terminal.say("why")],
          ...plan.steps.map((step) => {
            const [style, sign] = SIGNS[step.action];
            return [
              `  ${step.step}${step.stepRuns > 1 ? ` × ${step.stepRuns}` : ""}`,
              step.kind,
              terminal.style(style, sign),
              step.from === undefined
                ? step.reason
                : `${step.reason} ${terminal.style("dim", `(${describeOrigin(step.from)})`)}`,
            ];
          }),
        ]);
        const would = plan.steps.filter(({ action }) => action === "run").length;
        terminal.print(
          terminal.style(
            "dim",
            would === 0 ? terminal.say("planNothing") : terminal.say("planWould", { would, count: plan.steps.length }),
          ),
        );
      }
    }),
};
