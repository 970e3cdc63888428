import { normaliseColumnName } from "../column-name.ts";
import { typeOf } from "./column-type.ts";
import type { Contract, ContractProperty, ContractTable, Relationship } from "./contract.ts";
import { treatmentOf } from "./treatment.ts";

/** Rows name others by their keys (ODCS `relationships` of type `foreignKey`): each key must be there. */
export interface Reference {
  /** `reference:customer_id`, or the relationship's own id or name. */
  readonly id: string;
  /** Columns of the rows that refer, and the columns that they refer to, in the same order. */
  readonly columns: readonly string[];
  readonly keys: readonly string[];
  /** Names that the dataset referred to may have here, the likelier one first. */
  readonly datasets: readonly string[];
  /** Rows refer to others of the object that they belong to. */
  readonly isSelf: boolean;
  readonly severity: "error" | "warning";
  /** What a person wrote of it. */
  readonly said: string | undefined;
  /** Where it stands: leads on from the object. */
  readonly path: readonly (string | number)[];
}

/** What is wrong with a relationship; `path` leads on from the object. */
export interface ReferenceProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint?: string;
}

interface Place {
  readonly contract: Contract;
  readonly table: ContractTable;
  /** The property that the relationship belongs to; undefined for one of the object. */
  readonly property: ContractProperty | undefined;
  readonly path: readonly (string | number)[];
}

/** One end of a relationship: a property of an object of this contract, or a column of a dataset. */
interface End {
  readonly datasets: readonly string[];
  readonly column: string;
  /** The object, where this contract describes it. */
  readonly table: ContractTable | undefined;
}

/** A relationship of another type says nothing that rows could break. */
export function isForeignKey({ type }: Relationship): boolean {
  return type === undefined || type === "foreignKey";
}

/** The references of one object of a contract, of both forms: of a property, and of the object with `from`. */
export function readReferences(
  contract: Contract,
  table: ContractTable,
): { readonly references: readonly Reference[]; readonly problems: readonly ReferenceProblem[] } {
  const places: (readonly [Relationship, Place])[] = [];
  for (const [index, property] of table.properties.entries())
    for (const [number, one] of (property.relationships ?? []).entries())
      places.push([one, { contract, table, property, path: ["properties", index, "relationships", number] }]);
  for (const [number, one] of (table.relationships ?? []).entries())
    places.push([one, { contract, table, property: undefined, path: ["relationships", number] }]);
  const references: Reference[] = [];
  const problems: ReferenceProblem[] = [];
  for (const [relationship, place] of places.filter(([one]) => isForeignKey(one)))
    readReference(relationship, place, { references, problems });
  return { references, problems };
}

function readReference(
  relationship: Relationship,
  place: Place,
  into: { readonly references: Reference[]; readonly problems: ReferenceProblem[] },
): void {
  const problems: ReferenceProblem[] = [];
  const froms = readFroms(relationship, place, problems);
  const tos = endsOf(relationship.to, "to", place, problems);
  if (problems.length === 0) {
    if (froms.length !== tos.length)
      problems.push({
        path: [...place.path, "to"],
        message: `${froms.length} columns refer to ${tos.length}: ${froms.join(", ")} to ${tos.map(({ column }) => column).join(", ")}`,
        hint:
          place.property === undefined
            ? "Name as many in `to` as in `from`, in the same order."
            : "A key of several columns is a relationship of the object: relationships: [{ from: […], to: […] }] beside its properties.",
      });
    problems.push(...objectProblems(tos, place), ...columnProblems(froms, place));
  }
  const severity = severityOf(relationship, place, problems);
  const [first] = tos;
  if (problems.length > 0 || first === undefined) {
    into.problems.push(...problems);
    return;
  }
  const columns = froms.map((name, index) => normaliseColumnName(name, index));
  into.references.push({
    id: relationship.id ?? relationship.name ?? `reference:${columns.join("+")}`,
    columns,
    keys: tos.map(({ column }, index) => normaliseColumnName(column, index)),
    datasets: first.datasets,
    isSelf: first.table === place.table,
    severity,
    said: relationship.description,
    path: place.path,
  });
}

/** Names of the properties that refer. */
function readFroms({ from }: Relationship, place: Place, problems: ReferenceProblem[]): readonly string[] {
  const { property, table, path } = place;
  if (property !== undefined && from === undefined) return [property.name];
  if (from === undefined) {
    problems.push({
      path,
      message: "A relationship of the whole object needs `from`: the properties that refer to another",
      hint: `from: ${table.name}.${table.properties[0]?.name}`,
    });
    return [];
  }
  const ends = endsOf(from, "from", place, problems);
  for (const { table: owner, datasets } of ends)
    if (owner !== table)
      problems.push({
        path: [...path, "from"],
        message: `from names ${datasets[0]}, and the relationship stands in ${table.name}`,
        hint: `Name a property of ${table.name}, or put the relationship where it belongs.`,
      });
  return ends.map(({ column }) => column);
}

function endsOf(
  written: string | readonly string[],
  key: "from" | "to",
  { contract, path }: Place,
  problems: ReferenceProblem[],
): readonly End[] {
  const list = typeof written === "string" ? [written] : written;
  const ends: End[] = [];
  for (const text of list) {
    const end = readEnd(text, contract);
    if ("message" in end) problems.push({ path: [...path, key], ...end });
    else ends.push(end);
  }
  return ends;
}

const QUALIFIED = /^#?\/?schema\/([^/]+)\/properties\/([^/]+)$/;

/** `object.property`, or `/schema/OBJECT/properties/PROPERTY` by their ids (ODCS 3.1, References). */
function readEnd(text: string, contract: Contract): End | Omit<ReferenceProblem, "path"> {
  const qualified = QUALIFIED.exec(text);
  if (qualified !== null) {
    const [, object = "", property = ""] = qualified;
    const table = contract.schema.find(({ id, name }) => id === object || (id === undefined && name === object));
    const found = table?.properties.find(({ id, name }) => id === property || (id === undefined && name === property));
    if (table === undefined || found === undefined)
      return {
        message: `${text}: the contract has no ${table === undefined ? `object "${object}"` : `property "${property}" of ${table.name}`}`,
        hint: "Such a reference names ids; OBJECT.PROPERTY names names.",
      };
    return { table, datasets: namesOf(table), column: found.name };
  }
  if (/[#/:]/.test(text))
    return {
      message: `${text} leads to another contract, which is not looked into`,
      hint: "Name the dataset of this project and its column: DATASET.COLUMN.",
    };
  const [object = "", ...rest] = text.split(".");
  const column = rest.join(".");
  if (object === "" || column === "")
    return { message: `${JSON.stringify(text)} names no property`, hint: "Write OBJECT.PROPERTY." };
  const table = contract.schema.find(({ name, physicalName }) => name === object || physicalName === object);
  return { table, datasets: table === undefined ? [object] : namesOf(table), column };
}

function namesOf({ name, physicalName }: ContractTable): readonly string[] {
  return physicalName === undefined || physicalName === name ? [name] : [name, physicalName];
}

function* objectProblems(tos: readonly End[], { path }: Place): Generator<ReferenceProblem> {
  const named = new Set(tos.map(({ datasets }) => datasets[0]));
  if (named.size > 1)
    yield { path: [...path, "to"], message: `to names several objects (${[...named].join(", ")}); a key is of one` };
  for (const { table, column } of tos)
    if (table !== undefined && !table.properties.some(({ name }) => name === column))
      yield {
        path: [...path, "to"],
        message: `${table.name} has no property "${column}"; it has ${table.properties.map(({ name }) => name).join(", ")}`,
      };
}

/** Keys are compared by their types, and as they are stored. */
function* columnProblems(froms: readonly string[], { table, path }: Place): Generator<ReferenceProblem> {
  for (const from of froms) {
    const property = table.properties.find(({ name }) => name === from);
    if (property === undefined) {
      yield {
        path: [...path, "from"],
        message: `${table.name} has no property "${from}"; it has ${table.properties.map(({ name }) => name).join(", ")}`,
      };
      continue;
    }
    if (typeOf(property) === undefined)
      yield {
        path,
        message: `"${from}" refers to another dataset and has no type by which its values could be compared`,
        hint: "Give it a logicalType.",
      };
    if (treatmentOf(property)?.protection?.kind === "mask")
      yield {
        path,
        message: `"${from}" is masked: what is stored of it cannot be found in another dataset`,
        hint: "Hash it instead, with the same secret as there.",
      };
  }
}

const SEVERITIES = ["error", "warning", "info"];

/** ODCS gives relationships no severity of their own: `customProperties: [{ property: severity, value: warning }]`. */
function severityOf(
  { customProperties }: Relationship,
  { path }: Place,
  problems: ReferenceProblem[],
): "error" | "warning" {
  const index = (customProperties ?? []).findIndex(({ property }) => property === "severity");
  const value = customProperties?.[index]?.value ?? "error";
  if (typeof value !== "string" || !SEVERITIES.includes(value))
    problems.push({
      path: [...path, "customProperties", index, "value"],
      message: `The severity is ${JSON.stringify(value)}; it is one of ${SEVERITIES.join(", ")}`,
    });
  return value === "error" ? "error" : "warning";
}
