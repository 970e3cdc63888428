import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { pushEvents } from "#app";
import { createDigester } from "#base";
import { type Command, commonOptions } from "../../command.ts";
import { formatCount } from "../../format.ts";
import { withProject } from "../../session.ts";

const LINES_TOGETHER = 5000;
const BYTES_TOGETHER = 4 * 2 ** 20;

export const command: Command = {
  usage: "dataset push DATASET FILE",
  summary: "Push the events of a file to a dataset",
  description:
    "The file has one JSON object a line; `-` reads standard input. The step of the dataset has `capture: { push: {} }`. Events are kept when the command ends, and become a version with the next run of its pipeline, which `esteira up` starts by itself. A file that is pushed again, because the command was stopped, adds only what is missing; `--again` pushes it as new.",
  options: {
    ...commonOptions,
    again: { type: "boolean", help: "Push the file's events though the same file was pushed before." },
  },
  examples: [
    { line: "esteira dataset push clicks clicks.ndjson", does: "Keeps the events of the file for clicks" },
    { line: "zcat old.ndjson.gz | esteira dataset push clicks -", does: "Keeps what another program writes" },
  ],
  positionals: { least: 2, most: 2 },
  run: (context, options, [name = "", path = ""]) =>
    withProject(context, options, async ({ platform, identity }) => {
      const { terminal, signal } = context;
      await platform.registerProject(identity.name);
      // Standard input cannot be read twice: nothing could be pushed again.
      const file = path === "-" || options["again"] === true ? undefined : await digestFile(path);
      let [accepted, duplicates, number] = [0, 0, 0];
      for await (const body of readParts(path)) {
        signal.throwIfAborted();
        const idempotencyKey = file === undefined ? undefined : `${file}:${number}`;
        const answer = await pushEvents(platform, { dataset: name, body, idempotencyKey, identity });
        number++;
        accepted += answer.replayed ? 0 : answer.accepted;
        duplicates += answer.replayed ? answer.accepted + answer.duplicates : answer.duplicates;
      }
      if (options["json"] === true) return terminal.printJson({ dataset: name, accepted, duplicates });
      terminal.print(
        terminal.say("pushed", { count: formatCount(accepted), duplicates: formatCount(duplicates), dataset: name }),
      );
      const { pipeline } = platform.producerOf(name) ?? {};
      if (pipeline !== undefined && accepted > 0) terminal.note(terminal.say("pushedHint", { pipeline }));
    }),
};

async function digestFile(path: string): Promise<string> {
  const digester = createDigester();
  await finished(createReadStream(path).on("data", (piece) => digester.update(piece)));
  return digester.digest();
}

/** The same file, the same parts: each has a key by its place. */
async function* readParts(path: string): AsyncGenerator<Buffer> {
  const file = path === "-" ? undefined : await open(path);
  try {
    let lines: string[] = [];
    let sizeBytes = 0;
    for await (const line of file?.readLines() ?? standardInputLines()) {
      if (line.trim() === "") continue;
      lines.push(line);
      sizeBytes += line.length;
      if (lines.length < LINES_TOGETHER && sizeBytes < BYTES_TOGETHER) continue;
      yield Buffer.from(lines.join("\n"));
      [lines, sizeBytes] = [[], 0];
    }
    if (lines.length > 0) yield Buffer.from(lines.join("\n"));
  } finally {
    await file?.close();
  }
}

async function* standardInputLines(): AsyncGenerator<string> {
  const { createInterface } = await import("node:readline");
  yield* createInterface({ input: process.stdin, crlfDelay: Infinity });
}
