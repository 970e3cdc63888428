import { unpackModelPackage } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount } from "../../format.ts";

export const command: Command = {
  usage: "model unpack FOLDER --to FOLDER [--reference TAG]",
  summary: "Check a model package and write its files",
  description:
    "FOLDER is an OCI image layout: what model export wrote, skopeo or oras pulled, or a .tar of it unpacked. Every digest and size is checked before a file is written; nothing in it is run. Needs no project.",
  options: {
    json: commonOptions.json,
    to: { type: "string", value: "FOLDER", help: "A new or empty folder." },
    reference: { type: "string", value: "TAG", help: "Which of several models; default the one written last." },
  },
  examples: [
    {
      line: "esteira model unpack package --to delay",
      does: "Weights, card, environment, and data/training as a Delta table",
    },
  ],
  positionals: { least: 1, most: 1 },
  async run({ terminal, workingFolder }, options, [from = ""]) {
    const to = textOption(options, "to");
    if (to === undefined) throw usageWrong({ usage: command.usage, reason: "Where to? Name a new folder with --to" });
    const unpacked = await unpackModelPackage({ workingFolder, from, to, reference: textOption(options, "reference") });
    if (options["json"] === true) return terminal.printJson(unpacked);
    const bytes = unpacked.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    terminal.print(
      `${terminal.style("green", "✔")} ${unpacked.path}: ${unpacked.files.length} files, ${formatCount(bytes)} bytes, every digest as it should be\n  ${unpacked.manifestDigest}`,
    );
  },
};
