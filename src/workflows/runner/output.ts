import type { JobResult } from "../job-plan.ts";

type Annotation = JobResult["annotations"][number];
const MOST_ANNOTATIONS = 100;
const LONGEST_MESSAGE = 4000;
const LONGEST_LINE = 65_536;

/** What a step said through commands in its output. */
export interface Said {
  readonly outputs: Record<string, string>;
  readonly states: Record<string, string>;
  /** A command that GitHub refuses by now. */
  refused: string | undefined;
}

/** The log of the job. */
export interface Output {
  /** Lines of the runner itself. */
  say(text: string): void;
  /** Takes the output of a process as it comes; `end` gives the rest. */
  reader(said: Said): { take(text: string): void; end(): void };
  mask(value: string): void;
  /** True when a text holds a value that is masked. */
  isSecret(text: string): boolean;
  clean(text: string): string;
}

/**
 * @param write where lines go
 * @param annotations gets what `::error::` and its like say
 */
export function createOutput(write: (text: string) => void, annotations: Annotation[]): Output {
  const masks = new Set<string>();
  let longestFirst: readonly string[] = [];
  const clean = (text: string): string => {
    let cleaned = text;
    for (const mask of longestFirst) cleaned = cleaned.replaceAll(mask, "***");
    return cleaned;
  };
  const mask = (value: string): void => {
    for (const line of [value, ...value.split(/\r?\n/)])
      if (line.trim().length > 0) for (const written of waysToWrite(line)) masks.add(written);
    longestFirst = [...masks].toSorted((left, right) => right.length - left.length);
  };
  const print = (text: string): void => write(`${clean(text)}\n`);
  return {
    say: print,
    mask,
    clean,
    isSecret: (text) => longestFirst.some((one) => text.includes(one)),
    reader(said) {
      let rest = "";
      // Until the word comes again, nothing is a command.
      let stopWord: string | undefined;
      const line = (text: string): void => {
        const command = parseCommand(text);
        if (stopWord !== undefined) {
          if (command?.name === stopWord) stopWord = undefined;
          print(text);
          return;
        }
        if (command === undefined) return print(text);
        if (command.name.toLowerCase() === "stop-commands") stopWord = command.value;
        else carryOut(command, { said, annotations, mask, clean, print, raw: text });
      };
      return {
        take(text) {
          const lines = (rest + text).split(/\r?\n/);
          rest = lines.pop() ?? "";
          for (const one of lines) line(one);
          // A line without an end is given out in pieces: it is no command.
          if (rest.length <= LONGEST_LINE) return;
          print(rest);
          rest = "";
        },
        end() {
          if (rest !== "") line(rest);
          rest = "";
        },
      };
    },
  };
}

/** A secret, and what it looks like where programs quote or encode it. */
function waysToWrite(secret: string): readonly string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "");
  // Short ones would take common words with them.
  return [secret, json, ...(secret.length < 6 ? [] : [base64, encodeURIComponent(secret.toWellFormed())])];
}

interface OutputCommand {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly value: string;
}

/** `::name key=value,key=value::value`, with `%0A` and its like for what a line cannot hold. */
export function parseCommand(text: string): OutputCommand | undefined {
  const found = /^\s*::([A-Za-z0-9_-]+)(?:\s+([^\r\n]*?))?::(.*)$/.exec(text);
  if (found === null) return undefined;
  const [, name = "", properties = "", value = ""] = found;
  return {
    name,
    properties: Object.fromEntries(
      properties
        .split(",")
        .filter((pair) => pair.includes("="))
        .map((pair) => [
          pair.slice(0, pair.indexOf("=")).trim(),
          unescapeText(pair.slice(pair.indexOf("=") + 1))
            .replaceAll("%3A", ":")
            .replaceAll("%2C", ","),
        ]),
    ),
    value: unescapeText(value),
  };
}

function unescapeText(text: string): string {
  return text.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%25", "%");
}

interface Carrying {
  readonly said: Said;
  readonly annotations: Annotation[];
  readonly mask: (value: string) => void;
  readonly clean: (text: string) => string;
  readonly print: (text: string) => void;
  readonly raw: string;
}

const REFUSED: readonly string[] = ["set-env", "add-path"];
const SILENT: readonly string[] = ["debug", "add-matcher", "remove-matcher", "echo", "endgroup"];

// oxlint-disable-next-line complexity -- one line for each command
function carryOut({ name: written, properties, value }: OutputCommand, carrying: Carrying): void {
  const name = written.toLowerCase();
  const { said, annotations, mask, clean, print } = carrying;
  if (name === "add-mask") return mask(value);
  if (name === "group") return print(`▸ ${value}`);
  if (SILENT.includes(name)) return undefined;
  if (name === "set-output") return void (said.outputs[properties["name"] ?? ""] = value);
  if (name === "save-state") return void (said.states[properties["name"] ?? ""] = value);
  if (REFUSED.includes(name))
    return void (said.refused = `the command ::${name}:: is refused: write to the file that GITHUB_${name === "set-env" ? "ENV" : "PATH"} names`);
  if (name !== "error" && name !== "warning" && name !== "notice") return print(carrying.raw);
  const place = [properties["file"], properties["line"]].filter((part) => part !== undefined).join(":");
  print(
    `${name === "error" ? "Error" : name === "warning" ? "Warning" : "Notice"}: ${place === "" ? "" : `${place}: `}${value}`,
  );
  if (annotations.length >= MOST_ANNOTATIONS) return undefined;
  const line = Number(properties["line"]);
  annotations.push({
    level: name,
    message: clean(value).slice(0, LONGEST_MESSAGE),
    ...(properties["title"] === undefined ? {} : { title: clean(properties["title"]).slice(0, 500) }),
    ...(properties["file"] === undefined ? {} : { file: clean(properties["file"]).slice(0, 1000) }),
    ...(Number.isFinite(line) && properties["line"] !== undefined ? { line } : {}),
  });
}
