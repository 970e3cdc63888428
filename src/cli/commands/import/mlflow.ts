import { resolve } from "node:path";
import { importMlflowStore } from "#app";
import { artifactOptions, readArtifactPlaces } from "../../artifact-root.ts";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { openFor } from "../../session.ts";

export const command: Command = {
  usage: "import mlflow --from DATABASE_OR_FOLDER",
  summary: "Take over an MLflow server's experiments, runs and models",
  description:
    "Experiments, runs with the whole history of metrics, logged and registered models, aliases and artifacts. The other store is only read. Can be repeated: what is here is brought up to date, nothing is doubled.",
  options: {
    ...commonOptions,
    from: {
      type: "string",
      value: "URI",
      help: "What the MLflow server was started with as --backend-store-uri: a SQLite file, postgresql://…, or the folder mlruns.",
    },
    "artifacts-from": {
      type: "string",
      value: "FOLDER",
      help: "What it was started with as --artifacts-destination; default: mlartifacts or mlruns beside its store.",
    },
    ...artifactOptions,
    reference: { type: "boolean", help: "Leave artifacts where they are instead of copying them." },
  },
  examples: [
    {
      line: "esteira import mlflow --from mlflow.db",
      does: "Takes over a SQLite database, and the artifacts beside it",
    },
    {
      line: "esteira import mlflow --from postgresql://mlflow@db/mlflow --artifacts-from /data/mlartifacts",
      does: "Takes over a database server's store",
    },
    {
      line: "esteira import mlflow --from ./mlruns --store /data/tracking",
      does: "Takes over a folder of files into a store outside a project",
    },
  ],
  async run(context, options) {
    const { terminal, signal, settings, workingFolder } = context;
    const from = textOption(options, "from");
    if (from === undefined)
      throw usageWrong({ reason: "--from is missing: what is to be imported?", usage: command.usage });
    const artifacts = readArtifactPlaces(options, { workingFolder, usage: command.usage });
    if (artifacts.root !== undefined && artifacts.root.folder === undefined && options["reference"] !== true) {
      throw usageWrong({
        reason: `--artifact-root is ${artifacts.root.uri}: artifacts are copied into folders only. Leave it out, name a folder, or leave the artifacts where they are with --reference`,
        usage: command.usage,
      });
    }
    const artifactsFrom = textOption(options, "artifacts-from");
    const platform = await openFor(context, options, { storeOnlyAllowed: true, artifacts });
    try {
      const report = await importMlflowStore(platform, {
        from: /^\w[\w+]*:/.test(from) ? from : resolve(workingFolder, from),
        actor: settings.user,
        artifactsFrom: artifactsFrom === undefined ? undefined : resolve(workingFolder, artifactsFrom),
        copyArtifacts: options["reference"] !== true,
        onProgress: ({ stage, subject, done, total }) =>
          terminal.draw([`${stage}  ${done}${total === undefined ? "" : ` / ${total}`}  ${subject}`]),
        signal,
      });
      terminal.endDrawing();
      if (options["json"] === true) return terminal.printJson(report);
      const counted = (
        what: string,
        { total, new: added }: { readonly total?: number; readonly new: number },
      ): readonly string[] => [what, total === undefined ? "" : String(total), String(added)];
      terminal.table([
        ["", "FOUND", "NEW HERE"],
        counted("experiments", report.experiments),
        counted("runs", report.runs),
        ["metric points", String(report.metricPoints), ""],
        counted("logged models", report.loggedModels),
        counted("registered models", report.registeredModels),
        counted("model versions", report.modelVersions),
        counted("aliases", report.aliases),
        ["artifact files", String(report.artifacts.copied + report.artifacts.kept), String(report.artifacts.copied)],
      ]);
      for (const { what, count, reason } of report.leftBehind)
        terminal.print(`${terminal.style("yellow", "!")} ${count} ${what}: ${reason}`);
    } finally {
      await platform.close();
    }
  },
};
