import { type Command, commonOptions } from "../../command.ts";
import { withProject } from "../../session.ts";
import { printRecipe } from "./print-recipe.ts";

export const command: Command = {
  usage: "recipe diff NAME [A] [B]",
  summary: "Show what changed in a recipe since it was approved",
  description:
    "A and B are version numbers, approved or waiting. A is by default the approved recipe, B what waits for approval, else the latest version.",
  options: commonOptions,
  examples: [
    { line: "esteira recipe diff delay", does: "What a reviewer is asked to agree to" },
    { line: "esteira recipe diff delay 3 5", does: "What changed between two versions" },
  ],
  positionals: { least: 1, most: 3 },
  run: (context, options, [name = "", before, after]) =>
    withProject(context, options, async ({ call }) => {
      const difference = await call("getRecipe", { params: { name }, query: { before, after } });
      if (options["json"] === true) return context.terminal.printJson(difference);
      printRecipe(context.terminal, difference);
    }),
};
