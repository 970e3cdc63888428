import { exportModelPackage } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "model export NAME --to PATH [--version N] [--data value|reference]",
  summary: "Write a model with its data as an OCI ModelPack",
  description:
    "An OCI image layout (a folder, or one .tar file) that holds the binaries and the training data, one file per raw layer. skopeo, oras and Kubernetes image volumes read it.",
  options: {
    ...commonOptions,
    to: { type: "string", value: "PATH", help: "A folder, or a new file that ends in .tar." },
    version: { type: "string", value: "N", help: "Default: the latest." },
    data: {
      type: "string",
      value: "HOW",
      help: "value: the data themselves (up to packaging.limit); reference: digests, schema and profile. Default: what esteira.yaml says.",
    },
  },
  examples: [
    {
      line: "esteira model export delay --to delay.tar",
      does: "Everything that is needed to use, check and reproduce it, in one file",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal } = context;
      const to = textOption(options, "to");
      if (to === undefined)
        throw usageWrong({ usage: command.usage, reason: "Where to? Name a folder or a .tar file with --to" });
      const data = textOption(options, "data");
      if (data !== undefined && data !== "value" && data !== "reference")
        throw usageWrong({
          usage: command.usage,
          reason: `--data is ${JSON.stringify(data)}; expected value or reference`,
        });
      const version = textOption(options, "version");
      const exported = await exportModelPackage(platform, {
        name,
        to,
        version: version === undefined ? undefined : Number(version),
        data,
      });
      if (options["json"] === true) terminal.printJson(exported);
      else
        terminal.print(
          `${terminal.style("green", "✔")} ${terminal.say("packaged", { path: exported.path, reference: exported.reference, count: exported.layers, bytes: formatCount(exported.sizeBytes) })}\n  ${exported.manifestDigest}`,
        );
    }),
};
