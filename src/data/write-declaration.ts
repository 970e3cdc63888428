import { z } from "zod";
import type { WriteDisposition } from "./dataset.ts";

const name = z.string().min(1);

/** The key `write` of a step that makes a dataset. */
export const writeSchema: z.ZodType<WriteDisposition> = z
  .union([
    z.enum(["append", "replace"]),
    z.strictObject({
      merge: z
        .union([name.transform((key) => [key]), z.array(name).min(1)])
        .describe("Key columns: a row with an equal key is replaced."),
      duplicates: z
        .literal("last")
        .optional()
        .describe(
          "Of a capture: of several new rows with an equal key the last one stays, in the order in which they were read. Default: they are an error.",
        ),
    }),
  ])
  .describe(
    "How new rows meet those that are there: append, replace, or merge by key columns.",
  ) as z.ZodType<WriteDisposition>;
