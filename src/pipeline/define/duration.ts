const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What a duration looks like in YAML: `90` (seconds), `500ms`, `1.5h`. */
export const DURATION: RegExp = /^\d+(\.\d+)?(ms|s|m|h|d)?$/;

/** Milliseconds of a duration that matches {@link DURATION}, or of a number of seconds. */
export function toMilliseconds(duration: string | number): number {
  if (typeof duration === "number") return Math.round(duration * 1000);
  const [, digits = "0", unit = "s"] = /^([\d.]+)([a-z]*)$/.exec(duration) ?? [];
  return Math.round(Number(digits) * (UNIT_MS[unit === "" ? "s" : unit] ?? 1000));
}
