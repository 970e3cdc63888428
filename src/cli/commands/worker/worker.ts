import { resolve } from "node:path";
import type { Log } from "#base";
import { runWorkerHere, toMemoryBytes } from "#app";
import { ISOLATION_SETTINGS } from "#config";

import { type Command, type OptionValues, textOption, textOptions } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { operatorLog } from "../../operator-log.ts";
import type { Terminal } from "../../terminal.ts";

export const command: Command = {
  usage: "worker --url URL [--token-file FILE] [--name N] [--cpus N] [--gpus N] [--memory SIZE] [--labels A,B]",
  summary: "Take steps of a server that run on this machine",
  description:
    "Steps whose executor is a `worker` of esteira.yaml wait for one. It fetches what a step reads by digest, runs it isolated, and sends back its log and what it made; it shares no files with the server, and needs only this program, and Python where steps do. Its token is made with: esteira token create USER --only work.",
  options: {
    url: { type: "string", value: "URL", help: "The server, as this machine reaches it: https://…" },
    "token-file": {
      type: "string",
      value: "FILE",
      help: "File that holds the token; default: ESTEIRA_TOKEN, else none, which only a server of this machine takes.",
    },
    name: {
      type: "string",
      value: "N",
      help: "As people see it; one worker of a project has it at a time. Default: the machine's name.",
    },
    executor: {
      type: "string",
      value: "NAME",
      help: "Take steps of this executor alone; default: of every one whose labels it has.",
    },
    cpus: { type: "string", value: "N", help: "What its steps have together; default: the machine's processors." },
    gpus: { type: "string", value: "N", help: "Default: the machine's NVIDIA devices." },
    memory: { type: "string", value: "SIZE", help: '"16GB", "500 MiB"; default: the machine\'s memory.' },
    labels: {
      type: "string",
      multiple: true,
      value: "A,B",
      help: "What executors ask for under labels; may be repeated. Default: none.",
    },
    folder: {
      type: "string",
      value: "DIR",
      help: "Its cache, environments and the folders of its steps; default ~/.cache/esteira/worker/NAME.",
    },
    cache: { type: "string", value: "SIZE", help: 'Largest size of the cache of files; default "20 GiB".' },
    isolation: {
      type: "string",
      value: "LEVEL",
      help: "auto: the strongest that the machine can do; sandbox: at least this; none. Default auto.",
    },
    python: { type: "string", value: "PATH", help: "Python of its environments; default: the first on PATH." },
    "max-tasks": { type: "string", value: "N", help: "End after so many; default: never." },
    idle: { type: "string", value: "SECONDS", help: "End when it had nothing to do for so long; default: never." },
    silence: {
      type: "string",
      value: "SECONDS",
      help: "End when the server was not heard of for so long; default: never, it is asked again and again.",
    },
    relay: {
      type: "boolean",
      help: "Take no tasks: run those that come as lines of standard input, as the driver of an executor on Ray sends them, until it ends.",
    },
    json: { type: "boolean", help: "Write JSON for machines, one object a line." },
  },
  examples: [
    {
      line: "esteira worker --url https://esteira.example.com --token-file /etc/esteira/token --cpus 4 --memory 16GB --labels gpu",
      does: "Takes steps, four processors at once",
    },
    {
      line: "esteira worker --url http://127.0.0.1:4740 --name second",
      does: "A second worker on the server's machine",
    },
  ],
  async run(context, options) {
    const url = textOption(options, "url");
    if (url === undefined || !URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw wrong(`--url is ${JSON.stringify(url ?? "")}; expected an address such as https://esteira.example.com`);
    const { terminal, settings, workingFolder, signal } = context;
    const inFolder = (name: string): string | undefined => {
      const path = textOption(options, name);
      return path === undefined ? undefined : resolve(workingFolder, path);
    };
    const isJson = options["json"] === true;
    await runWorkerHere(
      {
        url,
        tokenFile: inFolder("token-file"),
        folder: inFolder("folder"),
        ...machineOf(options),
        relay:
          options["relay"] === true
            ? { input: process.stdin, say: (line) => void process.stdout.write(`${line}\n`) }
            : undefined,
        signal,
        log: tellTasks(terminal, isJson),
        onReady: ({ name, gives }) =>
          isJson
            ? terminal.print(JSON.stringify({ worker: name, url, gives }))
            : terminal.print(terminal.style("bold", terminal.say("workerReady", { name, url, gives }))),
      },
      settings,
    );
  },
};

/** One line for each task that it takes, and that has ended. */
function tellTasks(terminal: Terminal, isJson: boolean): Log {
  const log = operatorLog(terminal);
  if (isJson) return log;
  return {
    ...log,
    info: (message, facts) => terminal.note(`${message} ${terminal.style("dim", JSON.stringify(facts ?? {}))}`),
  };
}

function machineOf(
  options: OptionValues,
): Omit<Parameters<typeof runWorkerHere>[0], "url" | "tokenFile" | "folder" | "signal" | "log" | "onReady"> {
  const asked = textOption(options, "isolation");
  const isolation = ISOLATION_SETTINGS.find((level) => level === asked);
  if (asked !== undefined && isolation === undefined)
    throw wrong(`--isolation is ${JSON.stringify(asked)}; expected auto, sandbox, user or none`);
  const milliseconds = (name: string): number | undefined => {
    const seconds = count(options, name, 1);
    return seconds === undefined ? undefined : seconds * 1000;
  };
  return {
    name: textOption(options, "name"),
    executor: textOption(options, "executor"),
    cpus: count(options, "cpus", 1),
    gpus: count(options, "gpus", 0),
    memoryBytes: size(options, "memory"),
    cacheBytes: size(options, "cache"),
    labels: textOptions(options, "labels").flatMap((text) => text.split(",").filter((label) => label !== "")),
    isolation,
    python: textOption(options, "python"),
    most: count(options, "max-tasks", 1),
    idleMs: milliseconds("idle"),
    silenceMs: milliseconds("silence"),
  };
}

function count(options: OptionValues, name: string, least: number): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= least) return value;
  throw wrong(`--${name} is ${JSON.stringify(text)}; expected a whole number from ${least} on`);
}

function size(options: OptionValues, name: string): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const bytes = toMemoryBytes(text);
  if (bytes !== undefined) return bytes;
  throw wrong(`--${name} is ${JSON.stringify(text)}; expected a size such as "16GB" or "500 MiB"`);
}

function wrong(reason: string): Error {
  return usageWrong({ usage: command.usage, reason });
}
