import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { EngineParts } from "./engine-parts.ts";
import { takeoverRefused } from "./errors.ts";
import { workFolderOf } from "./work-folder.ts";

const placedSchema = z.strictObject({
  format: z.literal("placed/1"),
  /** Cache key of what was started. */
  key: z.string(),
  /** Why it was not taken from the cache. */
  reason: z.string(),
  inputs: z.array(z.strictObject({ asset: z.string(), role: z.string(), versionId: z.string() })),
  /** What its process must see beside the workspace. */
  readable: z.array(z.string()),
  /** Characters of its log that came before those of the process. */
  before: z.strictObject({ stdout: z.number(), stderr: z.number() }),
});

/** What another engine needs to go on with an attempt whose process outlives this one. */
export type Placed = z.infer<typeof placedSchema>;

/** What an engine found of an attempt that it took over. */
export interface TakenOver {
  readonly trackingRunId: string | undefined;
  /** Characters of its log that are kept. */
  readonly kept: { readonly stdout: number; readonly stderr: number };
}

const fileOf = (parts: Pick<EngineParts, "storeFolder">, attemptId: string): string =>
  join(workFolderOf(parts, attemptId), "placed.json");

/** Written before the process is started, whole or not at all. */
export async function writePlaced(
  parts: Pick<EngineParts, "storeFolder">,
  attemptId: string,
  placed: Placed,
): Promise<void> {
  const file = fileOf(parts, attemptId);
  await mkdir(workFolderOf(parts, attemptId), { recursive: true });
  await writeFile(`${file}.part`, JSON.stringify(placed), { flush: true });
  await rename(`${file}.part`, file);
}

/** @throws PIPELINE_TAKEOVER_REFUSED when the engine before did not get that far */
export async function readPlaced(
  parts: Pick<EngineParts, "storeFolder">,
  attempt: { readonly attemptId: string; readonly step: string },
): Promise<Placed> {
  try {
    return placedSchema.parse(JSON.parse(await readFile(fileOf(parts, attempt.attemptId), "utf8")));
  } catch (error) {
    throw takeoverRefused({ step: attempt.step, reason: "what it was started with was not kept" }, error);
  }
}
