import { resolve } from "node:path";
import { verifyPlatformAudit } from "#app";
import { type Command, commonOptions, textOption } from "../../command.ts";
import { formatTime } from "../../format.ts";
import { withAccess } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

type Verification = Awaited<ReturnType<typeof verifyPlatformAudit>>;
type Finding = Verification["log"]["findings"][number];
type Row = Verification["rows"]["findings"][number];

export const command: Command = {
  usage: "audit verify [--against FILE] [--key KEY] [--json]",
  summary: "Prove that nobody changed the event log, or a row that decides",
  description:
    "Recomputes the log from its events and compares it with every signed checkpoint: those of the store, those that a git ref keeps, and those of --against. Then compares users, roles, tokens, signing keys, approvals, verdicts, versions, releases, endpoints and aliases with what the events say of them. Names what was changed; ends with 1 then. Nothing is changed.",
  options: {
    ...commonOptions,
    against: { type: "string", value: "FILE", help: "Also checkpoints that somebody else kept." },
    key: {
      type: "string",
      value: "KEY",
      help: "Verifier key that must have signed; default: the one that the log names.",
    },
  },
  examples: [
    { line: "esteira audit verify", does: "Says whether the log is intact, and up to which event" },
    {
      line: "esteira audit verify --against checkpoints-of-friday",
      does: "Also finds a database that was put back to an older state",
    },
  ],
  run: (context, options) =>
    withAccess(context, options, async ({ platform, assertAdministrator }) => {
      assertAdministrator("*");
      const { terminal, settings, signal, workingFolder } = context;
      const against = textOption(options, "against");
      const { log, rows } = await verifyPlatformAudit(platform, {
        settings,
        against: against === undefined ? undefined : resolve(workingFolder, against),
        verifierKey: textOption(options, "key"),
        signal,
      });
      const isIntact = log.count === 0 && rows.findings.length === 0;
      if (options["json"] === true) terminal.printJson({ isIntact, ...log, rows });
      else print(terminal, { log, rows }, isIntact);
      return isIntact ? 0 : 1;
    }),
};

function print(terminal: Terminal, { log, rows }: Verification, isIntact: boolean): void {
  const lines = [
    ...log.findings.map((finding) => sayFinding(terminal, finding)),
    ...rows.findings.map(sayRow(terminal)),
  ];
  for (const line of lines) terminal.print(`${terminal.style("red", "✖")} ${line}`);
  if (log.count > log.findings.length)
    terminal.print(terminal.say("auditMore", { count: log.count - log.findings.length }));
  const said = terminal.say(isIntact ? "auditIntact" : "auditBroken", {
    count: log.count + rows.findings.length,
    size: log.size,
    signed: log.signed,
    checkpoints: log.checkpoints,
    rows: rows.rows,
  });
  terminal.print(isIntact ? terminal.style("green", `✔ ${said}`) : terminal.style("red", `✖ ${said}`));
  if (log.pending > 0) terminal.print(terminal.say("auditPending", { count: log.pending }));
  if (rows.untold > 0) terminal.print(terminal.say("auditUntold", { count: rows.untold }));
  if (log.verifierKey !== undefined) terminal.print(terminal.say("auditKey", { key: log.verifierKey }));
}

function sayFinding(terminal: Terminal, finding: Finding): string {
  const time = (atMs: number | undefined): string => (atMs === undefined ? "?" : formatTime(atMs));
  switch (finding.kind) {
    case "event_edited":
    case "event_inserted": {
      const { sequence, type = "?", atMs } = finding.event;
      const key = finding.kind === "event_edited" ? "auditEdited" : "auditInserted";
      return terminal.say(key, { event: sequence, type, at: time(atMs) });
    }
    case "event_deleted":
      return terminal.say("auditDeleted", {
        event: finding.event.sequence,
        after: time(finding.afterMs),
        before: time(finding.beforeMs),
      });
    case "tree_changed": {
      const { sequence, type, atMs } = finding.event ?? { sequence: 0, type: undefined, atMs: undefined };
      const { from, to, source } = finding;
      return terminal.say("auditTreeChanged", { from, to, source, event: sequence, type: type ?? "?", at: time(atMs) });
    }
    case "log_shortened":
      return terminal.say("auditShortened", { size: finding.size, signed: finding.signed, source: finding.source });
    case "checkpoint_forged":
      return terminal.say("auditForged", { size: finding.size, source: finding.source });
    case "checkpoint_of_other_key":
      return terminal.say("auditOtherKey", { size: finding.size, source: finding.source });
    case "checkpoint_unreadable":
      return terminal.say("auditUnreadable", { line: finding.line, source: finding.source });
    case "key_changed":
      return terminal.say("auditKeyChanged", { signer: finding.signer, found: finding.found });
    case "tiles_missing":
      return terminal.say("auditTilesMissing", { size: finding.size, found: finding.found });
  }
}

const ROW_MESSAGES = {
  changed: "auditRowChanged",
  inserted: "auditRowInserted",
  deleted: "auditRowDeleted",
} as const;

function sayRow(terminal: Terminal): (row: Row) => string {
  const list = (facts: Row["expected"]): string =>
    Object.entries(facts)
      .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
      .join(", ");
  return ({ table, key, kind, expected, found }) =>
    terminal.say(ROW_MESSAGES[kind], { table, key, expected: list(expected), found: list(found) });
}
