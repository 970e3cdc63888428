import type { StorePlatform } from "#app";
import type { MessageKey } from "./messages/messages.ts";
import type { Terminal } from "./terminal.ts";

const MESSAGES: Readonly<Record<"system" | "program" | "machine", MessageKey>> = {
  system: "isolationNoSystem",
  program: "isolationNoProgram",
  machine: "isolationNoSandbox",
};

/** Says what is missing where processes of the project run with less than a sandbox; nothing where they have one. */
export async function tellIsolation(terminal: Terminal, platform: StorePlatform): Promise<void> {
  if (!platform.isProject) return;
  const tell = (key: MessageKey, facts?: Readonly<Record<string, string>>): void =>
    terminal.note(terminal.style("yellow", `${terminal.say(key, facts)} ${terminal.say("isolationNone")}`));
  if (platform.config.isolation.level === "none") return tell("isolationOff");
  const { isolation } = await platform.whole();
  const { missing } = await isolation.report();
  const found = missing[0];
  if (found !== undefined) tell(MESSAGES[found.cause], { reason: found.reason.split("\n")[0] ?? "" });
}
