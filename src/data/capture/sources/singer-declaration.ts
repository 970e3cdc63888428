import { z } from "zod";
import { secretName } from "./database-declaration.ts";

const text = z.string().min(1);
const requirement = z
  .string()
  .regex(
    /^[A-Za-z0-9][\w.-]*(\[[\w., -]+\])?( *([=!<>~]=|[<>]) *[\w.*+!-]+( *, *([=!<>~]=|[<>]) *[\w.*+!-]+)*)?$/,
    "expected a package and its version, such as tap-github==1.2.3",
  );
const pinned = z
  .string()
  .regex(
    /^[A-Za-z0-9][\w.-]*(\[[\w., -]+\])?==[\w.+!-]+$/,
    "expected the tap's package with its exact version, such as tap-github==1.2.3",
  );
/** Members of objects, from the outside in, with points between. */
const path = z.string().regex(/^[^.]+(\.[^.]+)*$/, "expected names with points between them, such as auth.token");
const SINGER_REPLICATIONS = ["full", "incremental"] as const;

export const singerSchema = z
  .strictObject({
    tap: z
      .union([pinned, z.tuple([pinned], requirement)])
      .describe("Package of the tap with its exact version, or a list with it first and what else it needs."),
    executable: z
      .string()
      .regex(/^[A-Za-z0-9][\w.-]*$/, "expected the name of a program")
      .optional()
      .describe("Program of the package. Default: the package's name, from tap- on."),
    stream: text.describe("The stream that is read; each one is a step of its own."),
    config: z
      .record(text, z.json())
      .optional()
      .describe("What the tap wants to know, as its documentation says; nothing of it may be a secret."),
    secrets: z
      .record(path, secretName)
      .optional()
      .describe("Members of the config whose values are secrets, by name: { access_token: GITHUB_TOKEN }"),
    files: z
      .union([text, z.array(text).min(1)])
      .optional()
      .describe(
        "Files of the project that the tap reads, as paths or globs: it finds them under the same paths in its folder, and sees no others.",
      ),
    replication: z
      .enum(SINGER_REPLICATIONS)
      .optional()
      .describe(
        "`full` (default): everything, in every run. `incremental`: only what is new by the tap's state, which is kept with the version that holds the records.",
      ),
    replication_key: text
      .optional()
      .describe("With incremental: the field that the tap goes on by. Default: what the tap says."),
  })
  .describe("A stream of a Singer tap, which runs in a locked Python environment of its own.");

export type SingerDeclaration = z.infer<typeof singerSchema>;
