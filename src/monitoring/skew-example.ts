import { z } from "zod";
import type { MonitorScore } from "#metadata-store/monitoring";

/** Share of the compared rows whose online value is not what the offline join gives. */
export const SKEW = "feature_skew";

/** One row with another value, in the `method` of a score. */
export interface SkewExample {
  /** Join keys of the row. */
  readonly entity: Readonly<Record<string, string>>;
  /** Event time of the row, epoch ms. */
  readonly atMs: number;
  /** As texts: whole numbers keep their digits. */
  readonly online: string;
  readonly offline: string;
}

const exampleSchema: z.ZodType<SkewExample> = z.object({
  entity: z.record(z.string(), z.string()),
  atMs: z.number(),
  online: z.string(),
  offline: z.string(),
});

/** The example of a score, for people. */
export function exampleOf({ method }: Pick<MonitorScore, "method">): string | undefined {
  const { data } = exampleSchema.safeParse(new Map<string, unknown>(Object.entries(method)).get("example"));
  if (data === undefined) return undefined;
  const keys = Object.entries(data.entity).map(([name, value]) => `${name}=${value}`);
  return `${keys.join(", ")} at ${new Date(data.atMs).toISOString()}: online ${data.online}, offline ${data.offline}`;
}
