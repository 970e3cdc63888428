import { resolve } from "node:path";
import { proveByKey, provePlatformEvent } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { withAccess } from "../../session.ts";

const USAGE = "audit prove EVENT | --check FILE --key KEY";

export const command: Command = {
  usage: USAGE,
  summary: "Prove to somebody else that an event stands in the log",
  description:
    "Prints a proof: the event, its place, the path to the root and the signed checkpoint (C2SP tlog-proof). Whoever has it and the verifier key of the log, which audit verify prints, checks it with --check, without the store.",
  options: {
    ...commonOptions,
    check: { type: "string", value: "FILE", help: "Check a proof instead; needs no project and no store." },
    key: { type: "string", value: "KEY", help: "With --check: the verifier key of the log." },
  },
  positionals: { least: 0, most: 1 },
  examples: [
    { line: "esteira audit prove 1200", does: "Prints the proof of event 1200, to be kept in a file" },
    {
      line: "esteira audit prove --check approval.tlog-proof --key esteira/shop+0a1b2c3d+AY…",
      does: "Checks it, and prints the event",
    },
  ],
  async run(context, options, [event]) {
    const { terminal, workingFolder } = context;
    const file = textOption(options, "check");
    if (file === undefined) {
      if (event === undefined || !/^[1-9]\d{0,15}$/.test(event))
        throw usageWrong({ usage: USAGE, reason: "expected the number of an event" });
      return withAccess(context, options, async ({ platform, assertAdministrator }) => {
        assertAdministrator("*");
        const proof = await provePlatformEvent(platform, Number(event));
        terminal.print(proof.trimEnd());
      });
    }
    const key = textOption(options, "key");
    if (key === undefined || event !== undefined)
      throw usageWrong({ usage: USAGE, reason: "--check needs --key, the verifier key of the log, and no event" });
    const { entry, index, checkpoint } = await proveByKey(resolve(workingFolder, file), key);
    const { origin, size } = checkpoint;
    if (options["json"] === true) terminal.printJson({ event: JSON.parse(entry) as unknown, index, origin, size });
    else {
      terminal.print(entry);
      terminal.print(terminal.style("green", `✔ ${terminal.say("auditProven", { index, origin, size })}`));
    }
  },
};
