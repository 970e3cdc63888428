import { type Command, commonOptions, textOption } from "../../command.ts";
import { withProject } from "../../session.ts";
import { printRecipe } from "./print-recipe.ts";

export const command: Command = {
  usage: "recipe diff NAME [A] [B] [--environment NAME]",
  summary: "Show what changed in a recipe since it was approved",
  description:
    "A and B are version numbers, approved or waiting. A is by default the approved recipe, B what waits for approval, else the latest version.",
  options: {
    ...commonOptions,
    environment: {
      type: "string",
      value: "NAME",
      help: "Compare to what is approved for it, else to what is live there",
    },
  },
  examples: [
    { line: "esteira recipe diff delay", does: "What a reviewer is asked to agree to" },
    { line: "esteira recipe diff delay --environment production", does: "Since what is agreed to there" },
    { line: "esteira recipe diff delay 3 5", does: "What changed between two versions" },
  ],
  positionals: { least: 1, most: 3 },
  run: (context, options, [name = "", before, after]) =>
    withProject(context, options, async ({ call }) => {
      const environment = textOption(options, "environment");
      const difference = await call("getRecipe", { params: { name }, query: { before, after, environment } });
      if (options["json"] === true) return context.terminal.printJson(difference);
      printRecipe(context.terminal, difference);
    }),
};
