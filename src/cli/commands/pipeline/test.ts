import { testModels } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "test [STEP...] [--only NAME]",
  summary: "Run the unit tests of SQL and Python models",
  description:
    "Each test gives a query or a script rows and compares those that it makes of them. No dataset is read or written. Exit code 1: a test fails.",
  options: {
    ...commonOptions,
    only: { type: "string", value: "NAME", help: "The test of this name." },
  },
  examples: [
    { line: "esteira test", does: "All tests of the project" },
    { line: "esteira test daily --json", does: "Those of one model, with the rows that differ" },
  ],
  positionals: { least: 0, most: 100 },
  run: (context, options, steps) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal, signal } = context;
      const tested = await testModels(platform, { steps, only: textOption(options, "only"), signal });
      const results = tested.flatMap((model) => model.results);
      const failed = results.filter(({ passed }) => !passed).length;
      if (options["json"] === true) terminal.printJson({ failed, total: results.length, models: tested });
      else if (results.length === 0) terminal.print(terminal.say("noUnitTests"));
      else {
        for (const model of tested)
          for (const result of model.results) {
            const [first = "", ...more] = result.lines;
            terminal.print(
              `${result.passed ? terminal.style("green", "✔") : terminal.style("red", "✖")} ${model.step}  ${first}`,
            );
            for (const line of more)
              terminal.print(
                line.startsWith("  -")
                  ? terminal.style("red", line)
                  : line.startsWith("  +")
                    ? terminal.style("green", line)
                    : line,
              );
          }
        terminal.print(
          failed === 0
            ? terminal.style("green", terminal.say("unitTestsPass", { count: results.length }))
            : terminal.style("red", terminal.say("unitTestsFail", { failed, count: results.length })),
        );
      }
      return failed === 0 ? 0 : 1;
    }),
};
