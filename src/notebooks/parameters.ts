import type { SyntaxNode } from "@lezer/common";
import { type Json, nearestName } from "#base";
import { type Notebook, type NotebookCell, PARAMETERS_TAG } from "./notebook.ts";
import {
  accepts,
  formatParameterType,
  type ParameterType,
  parseParameterType,
  typeOfDefault,
} from "./parameter-type.ts";
import { children, computed, readLiteral, toPythonLiteral } from "./python-literal.ts";
import { sourceCells } from "./source-digest.ts";

/** A parameter that a notebook declares in its cell tagged `parameters`. */
export interface NotebookParameter {
  readonly name: string;
  readonly type: ParameterType;
  /** The type as it was written, or as the default shows it. */
  readonly typeText: string;
  /** True when there is no default: it must be given. */
  readonly required: boolean;
  readonly default: Json | undefined;
  readonly help: string | undefined;
  readonly cellIndex: number;
  /** Line in the cell, from 1. */
  readonly line: number;
}

/** Something wrong with what a notebook declares, or with what it is given. */
export interface ParameterProblem {
  readonly message: string;
  readonly hint?: string;
  /** The parameter it is about, when it was given by the caller. */
  readonly given?: string;
  /** Where in the notebook, when it is the notebook's mistake. */
  readonly place?: { readonly cellIndex: number; readonly line: number };
}

export interface DeclaredParameters {
  readonly parameters: readonly NotebookParameter[];
  /** The cell that holds them. */
  readonly cell: NotebookCell | undefined;
  readonly problems: readonly ParameterProblem[];
}

/**
 * The parameters that a Python notebook declares, with everything that is ambiguous about them: a second `parameters`
 * cell, a computed default, a parameter assigned again in a later cell.
 */
export async function readParameters(notebook: Notebook): Promise<DeclaredParameters> {
  const { parser } = await import("@lezer/python");
  const code = sourceCells(notebook).filter((cell) => cell.type === "code");
  const [cell, ...others] = code.filter((candidate) => candidate.tags.includes(PARAMETERS_TAG));
  const problems: ParameterProblem[] = others.map((other) => ({
    message: `cell ${other.index + 1} is tagged "parameters" too; the first such cell is cell ${(cell?.index ?? 0) + 1}`,
    hint: "Keep one cell with the tag.",
    place: { cellIndex: other.index, line: 1 },
  }));
  if (cell === undefined) return { parameters: [], cell, problems };
  const parameters: NotebookParameter[] = [];
  for (const statement of assignments(parser.parse(cell.source).topNode, cell.source)) {
    const read = toParameter(statement, cell);
    if ("message" in read) problems.push(read);
    else parameters.push(read);
  }
  const names = new Set(parameters.map(({ name }) => name));
  for (const later of code.filter(({ index }) => index > cell.index)) {
    for (const { name, line } of assignments(parser.parse(later.source).topNode, later.source)) {
      if (names.has(name))
        problems.push({
          message: `parameter "${name}" is assigned again in cell ${later.index + 1}, which hides the value that the step gives`,
          hint: "Use another name there.",
          place: { cellIndex: later.index, line },
        });
    }
  }
  return { parameters, cell, problems };
}

/**
 * Checks given values against the declared parameters.
 *
 * @param given values; a text that still holds `${{ … }}` is checked by its name only
 * @returns one problem per unknown, ill-typed or missing parameter
 */
export function checkParameters(
  declared: DeclaredParameters,
  given: Readonly<Record<string, Json>>,
): readonly ParameterProblem[] {
  const byName = new Map(declared.parameters.map((parameter) => [parameter.name, parameter]));
  const problems: ParameterProblem[] = [];
  for (const [name, value] of Object.entries(given)) {
    const parameter = byName.get(name);
    if (parameter === undefined) problems.push(unknownParameter(name, declared));
    else if (!isUnresolved(value) && !isSecret(value) && !accepts(parameter.type, value)) {
      problems.push({
        given: name,
        message: `parameter "${name}" is ${JSON.stringify(value)}; expected ${formatParameterType(parameter.type)}`,
      });
    }
  }
  for (const parameter of declared.parameters) {
    if (parameter.required && !(parameter.name in given))
      problems.push({
        message: `parameter "${parameter.name}" (${parameter.typeText}) has no default and is not given`,
        hint: `Add it to \`params\` of the step.`,
      });
  }
  return problems;
}

/**
 * The source of the cell that sets the given values, in papermill's form; secrets come from the kernel's environment.
 */
export function injectedSource(given: Readonly<Record<string, Json>>): string {
  const lines = Object.entries(given).map(
    ([name, value]) =>
      `${name} = ${isSecret(value) ? `__import__("os").environ[${JSON.stringify(value.slice("secret:".length))}]` : toPythonLiteral(value)}`,
  );
  return ["# Parameters", ...lines, ""].join("\n");
}

function unknownParameter(name: string, declared: DeclaredParameters): ParameterProblem {
  if (declared.cell === undefined)
    return {
      given: name,
      message: `parameter "${name}" is given, but no cell of the notebook is tagged "parameters"`,
      hint: 'Tag the cell that holds the defaults with "parameters".',
    };
  const names = declared.parameters.map((parameter) => parameter.name);
  const nearest = nearestName(name, names);
  return {
    given: name,
    message: `the notebook has no parameter "${name}"`,
    hint: nearest === undefined ? `Its parameters: ${names.join(", ") || "none"}.` : `Did you mean "${nearest}"?`,
  };
}

function isUnresolved(value: Json): boolean {
  return typeof value === "string" && value.includes("${{");
}

function isSecret(value: Json): value is string {
  return typeof value === "string" && /^secret:[A-Za-z_][A-Za-z0-9_]*$/.test(value);
}

interface Assignment {
  readonly name: string;
  readonly line: number;
  readonly annotation: string | undefined;
  readonly value: SyntaxNode | undefined;
  readonly source: string;
  /** The comment behind it on the same line. */
  readonly comment: string | undefined;
}

/** Top-level assignments to plain names, with or without annotation and value; `x += 1` counts. */
function assignments(script: SyntaxNode, source: string): Assignment[] {
  const found: Assignment[] = [];
  for (const statement of statementsOf(script)) {
    if (statement.name !== "AssignStatement" && statement.name !== "UpdateStatement") continue;
    const parts = children(statement);
    const target = parts[0];
    if (target?.name !== "VariableName") continue;
    const operator = parts.findIndex((part) => part.name === "AssignOp" || part.name === "UpdateOp");
    const type = parts.find((part) => part.name === "TypeDef");
    const values = operator === -1 ? [] : parts.slice(operator + 1);
    const comment = /^[ \t;]*#(.*)/.exec(source.slice(statement.to))?.[1]?.trim();
    found.push({
      name: source.slice(target.from, target.to),
      line: source.slice(0, statement.from).split("\n").length,
      annotation: type === undefined ? undefined : source.slice(type.from + 1, type.to).trim(),
      // Two targets or a bare tuple are no declaration of a parameter: the whole statement stands for the value then.
      value: operator === -1 ? undefined : values.length === 1 ? values[0] : statement,
      source,
      comment,
    });
  }
  return found;
}

function statementsOf(script: SyntaxNode): SyntaxNode[] {
  return children(script).flatMap((node) => (node.name === "StatementGroup" ? children(node) : [node]));
}

function toParameter(statement: Assignment, cell: NotebookCell): NotebookParameter | ParameterProblem {
  const place = { cellIndex: cell.index, line: statement.line };
  const value = statement.value === undefined ? undefined : readLiteral(statement.value, statement.source);
  if (value === computed)
    return {
      message: `the default of parameter "${statement.name}" is computed; expected a literal`,
      hint: "Compute it in a later cell, from a parameter.",
      place,
    };
  const commented = /^type:\s*([^\s].*?)(?:\s{2,}(.*))?$/.exec(statement.comment ?? "");
  const commentedType = commented === null ? undefined : parseParameterType(commented[1] ?? "");
  const annotated = statement.annotation === undefined ? commentedType : parseParameterType(statement.annotation);
  if (statement.annotation !== undefined && annotated === undefined) {
    return {
      message: `parameter "${statement.name}" has the type ${statement.annotation}; expected int, float, str, bool, list[T], dict[str, T], Optional[T] or Literal[…]`,
      place,
    };
  }
  return declare(statement, {
    place,
    type: annotated ?? typeOfDefault(value ?? null),
    value,
    help: commentedType === undefined ? statement.comment : commented?.[2],
  });
}

function declare(
  statement: Assignment,
  {
    place,
    type,
    value,
    help,
  }: {
    readonly place: NonNullable<ParameterProblem["place"]>;
    readonly type: ParameterType;
    readonly value: Json | undefined;
    readonly help: string | undefined;
  },
): NotebookParameter | ParameterProblem {
  if (value !== undefined && !accepts(type, value))
    return {
      message: `the default of parameter "${statement.name}" is ${JSON.stringify(value)}, but its type is ${formatParameterType(type)}`,
      place,
    };
  return {
    name: statement.name,
    type,
    typeText: statement.annotation ?? formatParameterType(type),
    required: statement.value === undefined,
    default: value,
    help,
    ...place,
  };
}
