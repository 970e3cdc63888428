import { type LocatedProblem, nearestName, readYaml, type YamlDocument } from "#base";
import { z } from "zod";
import { durationSchema, toMicroseconds } from "./duration.ts";
import { readWindows, type WindowFeature } from "./window-feature.ts";

/** A named thing with one or more join keys. */
export interface Entity {
  readonly name: string;
  readonly keys: readonly string[];
  readonly description: string | undefined;
}

/** Features of an entity over time: columns of a dataset, with the instant from which each row is known. */
export interface FeatureView {
  readonly name: string;
  /** The dataset. */
  readonly source: string;
  readonly entities: readonly string[];
  /** Join keys of all its entities, as the source's columns are called. */
  readonly keys: readonly string[];
  readonly timestamp: string;
  /** Column with the time at which a row was written: breaks ties, and says when a correction became known. */
  readonly created: string | undefined;
  /** Added to `timestamp`: the row is known from then on. */
  readonly availableAfterUs: number;
  /** Age at which a row no longer counts; 0: never. */
  readonly ttlUs: number;
  readonly features: readonly string[];
  /** What its features are, when they are aggregates over windows and no last values; else empty. */
  readonly windows: readonly WindowFeature[];
  /** Name of the push source whose rows it takes; views that name the same one take the same rows. */
  readonly push: string | undefined;
  readonly description: string | undefined;
}

export const MISSING_ACTIONS = ["refuse", "default", "null"] as const;

/** What an endpoint does where the online store has no value of a feature that is young enough. */
export interface MissingPolicy {
  readonly action: (typeof MISSING_ACTIONS)[number];
  /** Of `default`. */
  readonly value?: string | number | boolean | undefined;
}

/** A use of a view: which of its features, under which name, with which columns as its keys. */
export interface FeatureReference {
  readonly view: string;
  /** Default: all. */
  readonly features?: readonly string[] | undefined;
  /** Name of this use, in `full_names`. */
  readonly as?: string | undefined;
  /** Join key → column of the spine that holds it. */
  readonly keys?: Readonly<Record<string, string>> | undefined;
  /** For its features; default: as the service says. */
  readonly onMissing?: MissingPolicy | undefined;
}

export interface FeatureService {
  readonly name: string;
  readonly features: readonly FeatureReference[];
  readonly fullNames: boolean;
  /** undefined: a row that lacks all of them is refused, a single one is null where the model takes null. */
  readonly onMissing: MissingPolicy | undefined;
  readonly description: string | undefined;
}

/** Everything below `features/`. */
export interface FeatureDefinitions {
  readonly entities: ReadonlyMap<string, Entity>;
  readonly views: ReadonlyMap<string, FeatureView>;
  readonly services: ReadonlyMap<string, FeatureService>;
}

const name = z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]*$/, "expected letters, digits, _ and -, starting with a letter");

const missing = {
  // YAML reads null without quotes as a null of its own.
  on_missing: z
    .union([z.enum(MISSING_ACTIONS), z.null()])
    .optional()
    .describe(
      "What an endpoint does where the online store has no value, or none young enough: refuse the request, use `default`, or give the model null.",
    ),
  default: z.union([z.string(), z.number(), z.boolean()]).optional().describe("The value of `on_missing: default`."),
};
const defaultFits = ({
  on_missing,
  default: value,
}: {
  on_missing?: string | null | undefined;
  default?: unknown;
}): boolean => (on_missing === "default") === (value !== undefined);
const DEFAULT_MISFITS = { message: "`on_missing: default` and `default: VALUE` belong together", path: ["on_missing"] };

function toPolicy({
  on_missing,
  default: value,
}: {
  readonly on_missing?: MissingPolicy["action"] | null | undefined;
  readonly default?: MissingPolicy["value"];
}): MissingPolicy | undefined {
  return on_missing === undefined
    ? undefined
    : { action: on_missing ?? "null", ...(value === undefined ? {} : { value }) };
}

const referenceText = z
  .string()
  .regex(/^[A-Za-z_][\w-]*(:\w+)?$/, "expected view or view:feature")
  .transform((text): FeatureReference => {
    const [view = "", feature] = text.split(":");
    return feature === undefined ? { view } : { view, features: [feature] };
  });

const referenceFields = {
  view: name.describe("A feature view."),
  features: z.array(z.string()).min(1).optional().describe("Which of its features; default: all."),
  as: name.optional().describe("Name of this use of the view, when it is joined more than once."),
  keys: z
    .record(z.string(), z.string())
    .optional()
    .describe("Join key of the view: column of the spine that holds it."),
};

/** `view`, `view:feature`, or a mapping. */
export const featureReferenceSchema: z.ZodType<FeatureReference> = z.union([
  referenceText,
  z.strictObject(referenceFields),
]);

/** As in a join, and what an endpoint does where a feature is missing. */
const servedReferenceSchema: z.ZodType<FeatureReference> = z.union([
  referenceText,
  z
    .strictObject({ ...referenceFields, ...missing })
    .refine(defaultFits, DEFAULT_MISFITS)
    .transform(({ on_missing, default: value, ...reference }): FeatureReference => {
      const onMissing = toPolicy({ on_missing, default: value });
      return { ...reference, ...(onMissing === undefined ? {} : { onMissing }) };
    }),
]);

const fileSchema = z.strictObject({
  entities: z
    .record(
      name,
      z.strictObject({
        keys: z.array(z.string()).min(1).describe("Join keys, columns of the sources."),
        description: z.string().optional(),
      }),
    )
    .optional(),
  views: z
    .record(
      name,
      z.strictObject({
        source: z.string().min(1).describe("The dataset that holds the rows."),
        entities: z.array(z.string()).min(1),
        timestamp: z.string().describe("Column with the event time of a row."),
        created: z
          .string()
          .optional()
          .describe(
            "Column with the time at which a row was written; of rows with equal event time the latest written counts.",
          ),
        available_after: durationSchema
          .optional()
          .describe(
            "How long after `timestamp` a row is known. An aggregate of a day, stamped with the day's begin, is known a day later: 1d.",
          ),
        ttl: durationSchema
          .optional()
          .describe("Age at which a row no longer counts, offline and online; default: never."),
        features: z.array(z.string()).min(1).optional().describe("Columns of the source."),
        aggregate: z
          .record(z.string(), z.string().nullable())
          .refine((windows) => Object.keys(windows).length > 0, "expected at least one aggregate")
          .optional()
          .describe(
            "Features over the rows of a window that ends at the time asked for, by name: sum(amount, 7d), count(1h); also mean, min, max, std, distinct. In place of `features`.",
          ),
        push: name
          .optional()
          .describe("Name of a push source: `POST /push` brings rows online at once, before the source has them."),
        description: z.string().optional(),
      }),
    )
    .optional(),
  services: z
    .record(
      name,
      z
        .strictObject({
          features: z.array(servedReferenceSchema).min(1),
          full_names: z.boolean().optional(),
          description: z.string().optional(),
          ...missing,
        })
        .refine(defaultFits, DEFAULT_MISFITS),
    )
    .optional(),
});

type FeatureFile = z.infer<typeof fileSchema>;

/** JSON Schema source of `features/*.yaml`, for editors. */
export const featureFileSchema: z.ZodType = fileSchema;

/**
 * Reads the files below `features/`; reports every mistake with its place.
 *
 * @param files project-relative paths and contents
 */
export function readFeatureDefinitions(files: readonly { readonly path: string; readonly text: string }[]): {
  readonly definitions: FeatureDefinitions;
  readonly problems: readonly LocatedProblem[];
} {
  const problems: LocatedProblem[] = [];
  const read = files.flatMap(({ path, text }) => {
    const result = readYaml<FeatureFile>(text, path, fileSchema as z.ZodType<FeatureFile>);
    problems.push(...result.problems);
    return result.value === undefined ? [] : [{ value: result.value, document: result.document }];
  });
  const entities = new Map<string, Entity>();
  const views = new Map<string, FeatureView>();
  const services = new Map<string, FeatureService>();
  for (const { value, document } of read) {
    for (const [entity, { keys, description }] of Object.entries(value.entities ?? {})) {
      if (entities.has(entity)) problems.push(twice("entity", entity, document, ["entities", entity]));
      entities.set(entity, { name: entity, keys, description });
    }
  }
  for (const { value, document } of read) {
    for (const [view, facts] of Object.entries(value.views ?? {})) {
      if (views.has(view)) problems.push(twice("view", view, document, ["views", view]));
      const { windows, problems: mistakes } = readWindows(view, facts, document);
      problems.push(...viewProblems(view, facts, entities, document), ...mistakes);
      views.set(view, toView(view, { ...facts, windows }, entities));
    }
  }
  for (const { value, document } of read) {
    for (const [service, { features, full_names: fullNames = false, description, ...policy }] of Object.entries(
      value.services ?? {},
    )) {
      if (services.has(service)) problems.push(twice("service", service, document, ["services", service]));
      features.forEach((reference, index) => {
        for (const problem of referenceProblems(reference, views))
          problems.push({ ...document.at(["services", service, "features", index]), ...problem });
      });
      services.set(service, { name: service, features, fullNames, onMissing: toPolicy(policy), description });
    }
  }
  return { definitions: { entities, views, services }, problems };
}

/** What is wrong with a use of a view: unknown names, keys that the view has not. */
export function referenceProblems(
  reference: FeatureReference,
  views: ReadonlyMap<string, FeatureView>,
): readonly { readonly message: string; readonly hint?: string }[] {
  const view = views.get(reference.view);
  if (view === undefined) return [unknown("feature view", reference.view, views.keys())];
  const features = (reference.features ?? [])
    .filter((feature) => !view.features.includes(feature))
    .map((feature) => unknown(`feature of view "${view.name}"`, feature, view.features));
  const keys = Object.keys(reference.keys ?? {})
    .filter((key) => !view.keys.includes(key))
    .map((key) => unknown(`join key of view "${view.name}"`, key, view.keys));
  return [...features, ...keys];
}

function unknown(
  kind: string,
  found: string,
  valid: Iterable<string>,
): { readonly message: string; readonly hint: string } {
  const names = [...valid];
  const nearest = nearestName(found, names);
  return {
    message: `There is no ${kind} "${found}"`,
    hint: nearest === undefined ? `There are: ${names.join(", ") || "none"}.` : `Did you mean "${nearest}"?`,
  };
}

function viewProblems(
  view: string,
  facts: NonNullable<FeatureFile["views"]>[string],
  entities: ReadonlyMap<string, Entity>,
  document: YamlDocument,
): LocatedProblem[] {
  const problems: LocatedProblem[] = [];
  const at = (...path: (string | number)[]): ReturnType<YamlDocument["at"]> => document.at(["views", view, ...path]);
  facts.entities.forEach((entity, index) => {
    if (!entities.has(entity))
      problems.push({ ...at("entities", index), ...unknown("entity", entity, entities.keys()) });
  });
  const reserved = new Set([
    facts.timestamp,
    ...(facts.created === undefined ? [] : [facts.created]),
    ...facts.entities.flatMap((entity) => entities.get(entity)?.keys ?? []),
  ]);
  for (const feature of Object.keys(facts.aggregate ?? {}))
    if (reserved.has(feature))
      problems.push({
        ...at("aggregate", feature),
        message: `"${feature}" is a key or time of view "${view}", so it is no feature`,
        hint: "Give the aggregate another name.",
      });
  facts.features?.forEach((feature, index) => {
    if (reserved.has(feature))
      problems.push({
        ...at("features", index),
        message: `"${feature}" is a key or time of view "${view}", so it is no feature`,
        hint: "Remove it from `features`.",
      });
    if (facts.features?.indexOf(feature) !== index)
      problems.push({ ...at("features", index), message: `Feature "${feature}" is listed twice` });
  });
  return problems;
}

function toView(
  view: string,
  facts: NonNullable<FeatureFile["views"]>[string] & { readonly windows: readonly WindowFeature[] },
  entities: ReadonlyMap<string, Entity>,
): FeatureView {
  return {
    name: view,
    source: facts.source,
    entities: facts.entities,
    keys: [...new Set(facts.entities.flatMap((entity) => entities.get(entity)?.keys ?? []))],
    timestamp: facts.timestamp,
    created: facts.created,
    availableAfterUs: toMicroseconds(facts.available_after ?? 0),
    ttlUs: toMicroseconds(facts.ttl ?? 0),
    features: facts.features ?? facts.windows.map(({ name: feature }) => feature),
    windows: facts.windows,
    push: facts.push,
    description: facts.description,
  };
}

function twice(kind: string, found: string, document: YamlDocument, path: readonly string[]): LocatedProblem {
  return {
    ...document.atKey(path),
    message: `The ${kind} "${found}" is defined twice`,
    hint: "Give one of them another name.",
  };
}
