import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";
import { printRecipe } from "./print-recipe.ts";

export const command: Command = {
  usage: "recipe show NAME [VERSION]",
  summary: "Show everything that influences an asset but the data",
  description: "By default of what waits for approval, else of the latest version.",
  options: commonOptions,
  examples: [
    { line: "esteira recipe show delay", does: "Steps, files, params, packages, gate and deployment of delay" },
  ],
  positionals: { least: 1, most: 2 },
  run: (context, options, [name = "", after]) =>
    withProject(context, options, async ({ call }) => {
      const recipe = await call("getRecipe", { params: { name }, query: { before: "none", after } });
      if (options["json"] === true) return context.terminal.printJson(recipe);
      printRecipe(context.terminal, recipe);
    }),
};
