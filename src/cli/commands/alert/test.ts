import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "alert test ROUTE",
  summary: "Tell a route that a test opened and closed, now",
  description:
    "Routes stand under alerts: { routes: { … } } of esteira.yaml. What is sent is marked as a test and kept nowhere.",
  options: commonOptions,
  examples: [{ line: "esteira alert test ops", does: "Whether the receiver of ops takes what is sent to it" }],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ call }) => {
      const { terminal } = context;
      const { tests } = await call("testAlertRoute", { params: { name } });
      if (options["json"] === true) return terminal.printJson(tests);
      for (const { route, event, status } of tests)
        terminal.print(terminal.style("green", terminal.say("routeTold", { route, event, status })));
    }),
};
