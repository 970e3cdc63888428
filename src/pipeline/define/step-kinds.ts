import type { StepKind } from "../step-kind.ts";
import { STEP_KEYS } from "./keys.ts";
import { type JsonSchema, toInputSchema } from "./schema-problems.ts";

/** A step kind with what is read from its schema once. */
export interface KnownKind {
  readonly kind: StepKind;
  readonly jsonSchema: JsonSchema;
  /** Its own keys, its name among them. */
  readonly keys: readonly string[];
}

/** The step kinds of a program, by name. */
export type KnownKinds = ReadonlyMap<string, KnownKind>;

/** Prepares step kinds for reading pipelines. Their declaration types stay inside each kind. */
export function knowKinds(kinds: readonly StepKind<never>[]): KnownKinds {
  return new Map(kinds.map((kind) => [kind.name, knowKind(kind as unknown as StepKind)]));
}

/** The schema is made when a step is first read by it: most commands read none. */
function knowKind(kind: StepKind): KnownKind {
  let schema: KnownKind["jsonSchema"] | undefined;
  let keys: readonly string[] | undefined;
  const schemaOf = (): KnownKind["jsonSchema"] => (schema ??= toInputSchema(kind.schema));
  return {
    kind,
    get jsonSchema() {
      return schemaOf();
    },
    get keys() {
      const whole = schemaOf();
      return (keys ??= [
        ...new Set(
          [whole, ...(whole.anyOf ?? []), ...(whole.allOf ?? [])].flatMap((part) => Object.keys(part.properties ?? {})),
        ),
      ]);
    },
  };
}

/** Kinds whose name is a key of the step and that know every other kind's name that stands there too. */
export function kindsOfStep(kinds: KnownKinds, step: Readonly<Record<string, unknown>>): readonly KnownKind[] {
  const named = Object.keys(step).flatMap((key) => kinds.get(key) ?? []);
  if (named.length < 2) return named;
  const fitting = named.filter((candidate) => named.every((other) => candidate.keys.includes(other.kind.name)));
  return fitting.length === 1 ? fitting : named;
}

/** The part of a step that its kind reads: all but the common keys, except those that the kind has itself. */
export function declarationOf<Value>(known: KnownKind, step: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(step).filter(([key]) => !STEP_KEYS.includes(key) || known.keys.includes(key)),
  );
}
