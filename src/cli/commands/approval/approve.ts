import type { ApprovalStatement, PendingApproval } from "#api";
import { type Command, type CommandContext, commonOptions, type OptionValues, textOption } from "../../command.ts";
import { usageWrong } from "../../errors.ts";
import { type CliSession, withProject } from "../../session.ts";
import { keyFile, readKey, signStatement } from "../../signing-key.ts";

const DAY_MS = 24 * 3600 * 1000;
const LONGEST_DAYS = 3650;

export const command: Command = {
  usage: "approve DIGEST [--environment NAME] [--refuse] [--comment TEXT] [--expires DAYS] [--key FILE]",
  summary: "Approve a digest for an environment",
  description:
    "A decision is bound to the digest: any change of the content needs a new one. Who made it cannot approve it. Act as yourself with ESTEIRA_TOKEN. It is signed with your key, where you have one: esteira key create.",
  options: {
    ...commonOptions,
    environment: { type: "string", value: "NAME", help: "For this environment alone; default: for all." },
    refuse: { type: "boolean", help: "Refuse instead: what waits for it fails with your comment." },
    comment: { type: "string", value: "TEXT", help: "Why." },
    expires: {
      type: "string",
      value: "DAYS",
      help: `It counts for this many days, at most ${LONGEST_DAYS}; default: until it is revoked.`,
    },
    key: { type: "string", value: "FILE", help: "The key to sign with; default: ~/.config/esteira/keys/USER.pem." },
  },
  examples: [
    { line: "esteira approval list", does: "Shows what waits, with digests" },
    {
      line: 'ESTEIRA_TOKEN=est_… esteira approve sha256:ab12… --environment production --comment "reviewed the cells"',
      does: "Opens the gate; the waiting step goes on",
    },
  ],
  positionals: { least: 1, most: 1 },
  run: (context, options, [digest = ""]) =>
    withProject(context, options, async ({ call, identity, platform }) => {
      const { terminal } = context;
      const { pending } = await call("listApprovals");
      const matches = pending.filter(
        (each) =>
          each.digest === digest || each.digest.startsWith(digest) || each.digest.startsWith(`sha256:${digest}`),
      );
      const digests = [...new Set(matches.map((each) => each.digest))];
      if (digests.length > 1)
        throw usageWrong({
          usage: command.usage,
          reason: `${digest} fits ${digests.length} digests that wait; write more of it`,
        });
      const decision = options["refuse"] === true ? "refused" : "approved";
      const days = readDays(textOption(options, "expires"));
      const nowMs = platform.clock.now();
      const expiry = days === undefined ? {} : { expiresAtMs: nowMs + days * DAY_MS };
      const named = textOption(options, "environment");
      const there = matches.filter((each) => named === undefined || each.environment === named);
      const [asked] = there;
      const sealed = await seal(
        context,
        { options, asked: there.length > 1 ? undefined : asked, identity, call },
        {
          project: platform.project,
          decision,
          atMs: nowMs,
          ...expiry,
        },
      );
      const approval = await call("createApproval", {
        body: {
          decision,
          subjectKind: matches[0]?.subjectKind ?? "notebook",
          digest: digests[0] ?? digest,
          environment: sealed.envelope === undefined ? named : asked?.environment,
          comment: textOption(options, "comment"),
          ...expiry,
          ...(sealed.envelope === undefined ? {} : { envelope: sealed.envelope }),
        },
      });
      if (options["json"] === true) return terminal.printJson(approval);
      terminal.print(
        terminal.style(
          "green",
          `✔ ${terminal.say("approved", { digest: approval.digest, environment: approval.environment ?? "*", actor: approval.actor })}`,
        ),
      );
      if (sealed.isUnsigned === true) terminal.note(terminal.say("approvedUnsigned"));
    }),
};

function readDays(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= LONGEST_DAYS) return days;
  throw usageWrong({
    usage: command.usage,
    reason: `--expires is ${JSON.stringify(text)}; expected a whole number of days from 1 to ${LONGEST_DAYS}`,
  });
}

/**
 * The decision signed with the caller's key; nothing where there is none, or where it is not known and not needed. What
 * is signed is what waits in one environment: `isUnsigned` where there is a key and no such thing.
 */
async function seal(
  { settings }: CommandContext,
  facts: {
    readonly options: OptionValues;
    readonly asked: PendingApproval | undefined;
    readonly identity: CliSession["identity"];
    readonly call: CliSession["call"];
  },
  decision: Pick<ApprovalStatement, "project" | "decision" | "atMs" | "expiresAtMs">,
): Promise<{ readonly envelope?: string; readonly isUnsigned?: boolean }> {
  const { options, asked, identity, call } = facts;
  const key = await readKey(textOption(options, "key") ?? keyFile(settings, identity.name), settings.keyPassphrase);
  if (key === undefined) return {};
  if (asked === undefined) return { isUnsigned: true };
  const { items } = await call("listKeys");
  if (!asked.signed && !items.some(({ id, user }) => id === key.id && user === identity.name)) return {};
  const { environment, subjectKind: kind, subject: name, digest, rulesDigest } = asked;
  const reviewer = identity.name;
  const statement = { ...decision, environment, kind, name, digest, rulesDigest, reviewer };
  return { envelope: JSON.stringify(signStatement(key, statement)) };
}
