import { z } from "zod";

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** A number of bytes. */
export const sizeSchema = z
  .string()
  .regex(/^\d+(\.\d+)?\s*(B|KiB|MiB|GiB|TiB)$/, 'expected a size such as "1 GiB" or "500 MiB"')
  .transform((text) => {
    const [, amount, unit] = /^([\d.]+)\s*(\w+)$/.exec(text) ?? [];
    return Number(amount) * (SIZE_UNITS[unit ?? "B"] ?? 1);
  });

const WAITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** How long something is waited for, in ms. */
export const waitSchema = z
  .string()
  .regex(/^[1-9]\d{0,4}[smh]$/, 'expected seconds, minutes or hours: "90s", "10m", "1h"')
  .transform((text) => Number(text.slice(0, -1)) * (WAITS[text.slice(-1)] ?? 1000));

export const DAY_MS = 24 * 3600 * 1000;

const DAYS: Readonly<Record<string, number>> = { d: 1, w: 7, y: 365 };

/** How long something is kept, in ms. */
export const keptSchema = z
  .string()
  .regex(/^[1-9]\d{0,4}[dwy]$/, 'expected days, weeks or years, at least a day: "90d", "12w", "2y"')
  .transform((text) => Number(text.slice(0, -1)) * (DAYS[text.slice(-1)] ?? 1) * DAY_MS);
