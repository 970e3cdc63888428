import { partKeys } from "./part-file.ts";
import { pipelineKeys, stepKeys } from "./keys.ts";
import { type JsonSchema, toInputSchema } from "./schema-problems.ts";
import type { StepKind } from "../step-kind.ts";

/**
 * JSON Schemas for editors, made from the definitions that the program itself checks with.
 *
 * @returns by file name: `pipeline.schema.json`, `part.schema.json`
 */
export function jsonSchemas(kinds: readonly StepKind<never>[]): Readonly<Record<string, object>> {
  const common = toInputSchema(stepKeys);
  const pipeline = toInputSchema(pipelineKeys);
  const steps = [...kinds.map((kind) => stepSchema(kind, common)), useSchema(common)];
  const part = toInputSchema(partKeys);
  return {
    "part.schema.json": {
      ...part,
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "esteira part",
      properties: {
        ...part.properties,
        step: { anyOf: steps },
        steps: { ...part.properties?.["steps"], additionalProperties: { anyOf: steps } },
      },
    },
    "pipeline.schema.json": {
      ...pipeline,
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "esteira pipeline",
      properties: {
        ...pipeline.properties,
        steps: { ...pipeline.properties?.["steps"], additionalProperties: { anyOf: steps } },
        finally: { ...pipeline.properties?.["finally"], additionalProperties: { anyOf: steps } },
      },
    },
  };
}

/** A value of any type may also be given by an expression. */
const EXPRESSION = { type: "string", pattern: "^\\s*\\$\\{\\{.*\\}\\}\\s*$" } as const;

/** A part in the place of a step. */
function useSchema(common: JsonSchema): JsonSchema {
  const orExpression = Object.entries(common.properties ?? {}).map(
    ([key, schema]) => [key, { anyOf: [schema, EXPRESSION] }] as const,
  );
  return {
    title: "use of a part",
    type: "object",
    required: ["uses"],
    additionalProperties: false,
    properties: {
      ...Object.fromEntries(orExpression),
      uses: { type: "string", pattern: "^\\./pipelines/parts/.+\\.ya?ml$", description: "The file of the part." },
      with: { type: "object", description: "Values of its inputs." },
    },
  };
}

function stepSchema(kind: StepKind<never>, common: JsonSchema): JsonSchema {
  const { $schema: _, ...own } = toInputSchema(kind.schema);
  const orExpression = (schema: JsonSchema): JsonSchema =>
    schema["type"] === "string" ? schema : { anyOf: [schema, EXPRESSION] };
  const properties = Object.fromEntries(
    Object.entries(own.properties ?? {}).map(([key, schema]) => [key, orExpression(schema)]),
  );
  return { ...own, title: `${kind.name} step`, type: "object", properties: { ...common.properties, ...properties } };
}
