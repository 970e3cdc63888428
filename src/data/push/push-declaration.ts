import { z } from "zod";

const duration = z.string().regex(/^\d+(s|m|h|d)$/, "expected a time as 30s, 10m, 2h or 1d");

/** What `capture: { push: … }` may say. */
export const pushSchema = z.strictObject({
  id: z
    .string()
    .min(1)
    .optional()
    .describe("Field of every event that tells it from others: a second event with the same value is not taken."),
  remember: duration
    .optional()
    .describe("For how long ids of events and idempotency keys of requests are known; default 1d."),
  every: duration.optional().describe("Events wait at most so long until a run makes a version of them; default 30s."),
  rows: z.int().min(1).max(1_000_000).optional().describe("So many waiting events start a run at once; default 50000."),
  backlog: z
    .int()
    .min(1)
    .max(100_000_000)
    .optional()
    .describe("When so many events wait, further ones are refused until a run has taken them; default 1000000."),
});

export type PushDeclaration = z.infer<typeof pushSchema>;

/** A push source with everything that it does not say. */
export interface PushSettings {
  readonly id: string | undefined;
  readonly rememberMs: number;
  readonly everyMs: number;
  readonly rows: number;
  readonly backlog: number;
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function milliseconds(text: string): number {
  return Number.parseInt(text, 10) * (UNIT_MS[text.slice(-1)] ?? 1000);
}

export function pushSettings(declaration: PushDeclaration): PushSettings {
  const { id, remember = "1d", every = "30s", rows = 50_000, backlog = 1_000_000 } = declaration;
  return { id, rememberMs: milliseconds(remember), everyMs: milliseconds(every), rows, backlog };
}

/** The push source that a step's declaration holds; undefined for every other step. */
export function pushSettingsOf(declaration: Readonly<Record<string, unknown>>): PushSettings | undefined {
  const parsed = z.object({ capture: z.object({ push: pushSchema }) }).safeParse(declaration);
  return parsed.success ? pushSettings(parsed.data.capture.push) : undefined;
}
