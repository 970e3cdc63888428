import { z } from "zod";

const MICROSECONDS: Readonly<Record<string, number>> = { s: 1e6, m: 60e6, h: 3_600e6, d: 86_400e6, w: 604_800e6 };

/** `30m`, `12h`, `7d`, `2w`, or 0. */
export const durationSchema: z.ZodType<string | number> = z
  .union(
    [z.string().regex(/^\d+(\.\d+)?\s*[smhdw]$/, "expected a duration such as 30m, 12h, 7d or 2w"), z.literal(0)],
    { error: "expected a duration such as 30m, 12h, 7d or 2w, or 0" },
  )
  .describe("A duration: 30m, 12h, 7d, 2w; 0 for none.");

/** A duration in microseconds, the resolution of the tables' timestamps. */
export function toMicroseconds(duration: string | number): number {
  const match = /^([\d.]+)\s*([smhdw])$/.exec(String(duration));
  return match === null ? 0 : Math.round(Number(match[1]) * (MICROSECONDS[match[2] ?? "s"] ?? 0));
}
