import { exportPackagedCode } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { formatCount } from "../../format.ts";
import { withProject } from "../../session.ts";

export const command: Command = {
  usage: "code export NAME --to FOLDER [--version N]",
  summary: "Write the files of a version of code into a folder",
  description:
    "Each file is checked against its digest. What a package step made holds the image or archive, sbom.cdx.json and provenance.intoto.json.",
  options: {
    ...commonOptions,
    to: { type: "string", value: "FOLDER", help: "A folder that is not there yet, or empty." },
    version: { type: "string", value: "N", help: "Default: the latest." },
  },
  examples: [
    {
      line: "esteira code export app_image --to out",
      does: "An image: skopeo inspect oci:out/image:latest reads it",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [name = ""]) =>
    withProject(context, options, async ({ platform }) => {
      const { terminal } = context;
      const to = textOption(options, "to");
      if (to === undefined) throw usageWrong({ usage: command.usage, reason: "Where to? Name a folder with --to" });
      const version = textOption(options, "version");
      if (version !== undefined && !/^[1-9]\d{0,8}$/.test(version))
        throw usageWrong({
          usage: command.usage,
          reason: `--version is ${JSON.stringify(version)}; expected a whole number`,
        });
      const exported = await exportPackagedCode(platform, {
        name,
        to,
        version: version === undefined ? undefined : Number(version),
      });
      if (options["json"] === true) return terminal.printJson(exported);
      terminal.print(
        `${terminal.style("green", "✔")} ${terminal.say("codeExported", { path: exported.path, name, version: exported.version, count: exported.files, bytes: formatCount(exported.sizeBytes) })}\n  ${exported.digest}`,
      );
    }),
};
