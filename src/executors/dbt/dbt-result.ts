import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { assertInside } from "#pipeline";

const LARGEST_BYTES = 256 * 2 ** 20;

const error = z.object({
  node: z.string().nullable(),
  package: z.string().nullable(),
  file: z.string().nullable(),
  line: z.number().nullable(),
  message: z.string(),
});
const node = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.string(),
  file: z.string(),
  package: z.string(),
  isEphemeral: z.boolean(),
  reads: z.array(z.string()),
  query: z.string().nullable(),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
});
const test = z.object({
  name: z.string(),
  what: z.string(),
  severity: z.enum(["error", "warning"]),
  status: z.string(),
  failures: z.number().nullable(),
  message: z.string().nullable(),
  file: z.string(),
  about: z.array(z.string()),
});
const result = z.object({
  format: z.literal("dbt-result/1"),
  errors: z.array(error),
  nodes: z.array(node),
  tests: z.array(test),
});

/** What dbt did, node by node. */
export type DbtResult = z.infer<typeof result>;
export type DbtTest = z.infer<typeof test>;
export type DbtMade = z.infer<typeof node>;

/** Undefined where the process left none. The process may have put anything in its place: a link is not followed. */
export async function readDbtResult(
  file: string,
  of: { readonly folder: string; readonly step: string },
): Promise<DbtResult | undefined> {
  const size = await stat(file).then(
    (stats) => (stats.isFile() ? stats.size : undefined),
    () => undefined,
  );
  if (size === undefined || size > LARGEST_BYTES) return undefined;
  await assertInside(file, { folders: [of.folder], asset: of.step });
  try {
    return result.safeParse(JSON.parse(await readFile(file, "utf8"))).data;
  } catch (problem) {
    if (problem instanceof SyntaxError) return undefined;
    throw problem;
  }
}

/** How a test came out, as a check of a dataset. */
export function toCheck({ name, what, severity, status, failures, message }: DbtTest): {
  readonly id: string;
  readonly expectation: string;
  readonly severity: "error" | "warning";
  readonly value: string;
  readonly holds: boolean;
} {
  const said = status === "fail" ? "error" : status === "warn" ? "warning" : severity;
  const value = failures === null ? (message ?? status) : String(failures);
  return { id: name, expectation: what, severity: said, value, holds: status === "pass" };
}

export function isBroken({ status }: DbtTest): boolean {
  return status === "fail" || status === "error";
}
