import { mkdtemp, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { assertInside } from "#pipeline";

const LARGEST_BYTES = 64 * 2 ** 20;

const failed = z.object({ format: z.literal("singer-result/1"), problem: z.string() });
const read = z.object({
  format: z.literal("singer-result/1"),
  columns: z.array(z.object({ name: z.string(), schema: z.unknown() })).nullable(),
  keys: z.array(z.string()),
  rows: z.int().min(0),
  /** As JSON: numbers keep their digits. */
  state: z.string().nullable(),
  version: z.int().nullable(),
  unknown: z.array(z.string()),
  others: z.record(z.string(), z.number()),
});

/** What a tap said, without its records. */
export type SingerRead = z.infer<typeof read>;

/**
 * Undefined where the process left nothing that could be one. The tap may have put anything in its place: a link is not
 * followed.
 */
export async function readSingerResult(
  file: string,
  of: { readonly folder: string; readonly step: string },
): Promise<SingerRead | { readonly problem: string } | undefined> {
  const size = await stat(file).then(
    (stats) => (stats.isFile() ? stats.size : undefined),
    () => undefined,
  );
  if (size === undefined || size > LARGEST_BYTES) return undefined;
  await assertInside(file, { folders: [of.folder], asset: of.step });
  try {
    const found: unknown = JSON.parse(await readFile(file, "utf8"));
    return failed.safeParse(found).data ?? read.safeParse(found).data;
  } catch (problem) {
    if (problem instanceof SyntaxError) return undefined;
    throw problem;
  }
}

/** A folder that is made when the tap has ended, so that nothing of it lies in there. */
export function freshFolder(workFolder: string): Promise<string> {
  return mkdtemp(join(workFolder, "rows-"));
}
