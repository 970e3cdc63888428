import { z } from "zod";
import { parseYaml } from "#base";

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const nothing = z.null().transform(() => undefined);
const optional = <Schema extends z.ZodType>(schema: Schema) => z.union([schema, nothing]).optional();
const variables = optional(z.record(z.string(), z.union([scalar, z.null().transform(() => "")])));

const stepSchema = z.object({
  id: optional(scalar),
  name: optional(scalar),
  if: optional(scalar),
  run: optional(scalar),
  uses: optional(scalar),
  with: optional(z.record(z.string(), z.union([scalar, z.null().transform(() => "")]))),
  env: variables,
  shell: optional(scalar),
  "working-directory": optional(scalar),
  "continue-on-error": optional(scalar),
  "timeout-minutes": optional(scalar),
});

const runsSchema = z.discriminatedUnion("using", [
  z.object({ using: z.literal("composite"), steps: z.array(stepSchema) }),
  z.object({ using: z.literal("docker"), image: scalar }),
  ...(["node12", "node16", "node20", "node24"] as const).map((using) =>
    z.object({
      using: z.literal(using),
      main: scalar,
      pre: optional(scalar),
      "pre-if": optional(scalar),
      post: optional(scalar),
      "post-if": optional(scalar),
    }),
  ),
]);

const actionSchema = z.object({
  name: optional(scalar),
  inputs: optional(
    z.record(
      z.string(),
      optional(z.object({ default: optional(scalar), required: optional(z.union([z.boolean(), z.string()])) })),
    ),
  ),
  outputs: optional(z.record(z.string(), optional(z.object({ value: optional(scalar) })))),
  runs: runsSchema,
});

export type ActionFile = z.output<typeof actionSchema>;

/** Files that may describe an action, in the order in which they are looked for. */
export const ACTION_FILES = ["action.yml", "action.yaml"] as const;

/** Reads an action's file; `problem` says in one sentence what is wrong with it. */
export function readAction(
  text: string,
  file: string,
):
  | { readonly action: ActionFile; readonly problem?: undefined }
  | { readonly action?: undefined; readonly problem: string } {
  const { document, problems } = parseYaml(text, file);
  const [first] = problems;
  if (first !== undefined) return { problem: `${file}:${first.line}: ${first.message}` };
  const checked = actionSchema.safeParse(document.value);
  if (checked.success) return { action: checked.data };
  const [issue] = checked.error.issues;
  return { problem: `${file}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "it describes no action"}` };
}
