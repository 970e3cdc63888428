import type { SyntaxNode } from "@lezer/common";
import type { Notebook, NotebookCell } from "./notebook.ts";
import { PYTHON_BUILTINS } from "./python-builtins.ts";
import { children } from "./python-literal.ts";
import { sourceCells } from "./source-digest.ts";

export const HIDDEN_STATE_RULES = [
  "never-executed",
  "executed-out-of-order",
  "executed-again",
  "gap-in-counts",
  "output-without-count",
  "used-before-defined",
  "never-defined",
  "defined-again",
] as const;
export type HiddenStateRule = (typeof HIDDEN_STATE_RULES)[number];

/** A sign that a notebook's saved state does not follow from executing it from top to bottom. */
export interface HiddenStateFinding {
  readonly rule: HiddenStateRule;
  readonly cellId: string;
  readonly cellIndex: number;
  /** One sentence. */
  readonly message: string;
  /** The name it is about. */
  readonly name?: string;
}

/** A use of a name in one cell that another cell defines. */
export interface CellEdge {
  readonly from: string;
  readonly to: string;
  readonly name: string;
}

/** What the saved notebook says without being executed. */
export interface HiddenStateReport {
  readonly findings: readonly HiddenStateFinding[];
  /** Which cell uses what which cell defines. */
  readonly edges: readonly CellEdge[];
}

/**
 * Looks for hidden state: execution counts that are not 1…n from top to bottom, names that are used before or without
 * being defined.
 */
export async function reportHiddenState(notebook: Notebook): Promise<HiddenStateReport> {
  const { parser } = await import("@lezer/python");
  const cells = sourceCells(notebook).filter(({ type }) => type === "code");
  const findings = [...countFindings(cells)];
  const edges: CellEdge[] = [];
  const names = cells.map((cell) => ({
    cell,
    ...namesOf(parser.parse(withoutMagics(cell.source)).topNode, cell.source),
  }));
  const definedAnywhere = new Set(names.flatMap(({ defines }) => [...defines]));
  const definedIn = new Map<string, NotebookCell>();
  const hasStar = names.some(({ star }) => star);
  for (const { cell, defines, uses } of names) {
    for (const name of uses) {
      const source = definedIn.get(name);
      if (source !== undefined) edges.push({ from: source.id, to: cell.id, name });
      else if (definedAnywhere.has(name) && !defines.has(name))
        findings.push(
          finding(
            "used-before-defined",
            cell,
            name,
            `"${name}" is used in cell ${cell.index + 1}, before the cell that defines it`,
          ),
        );
      else if (!definedAnywhere.has(name) && !PYTHON_BUILTINS.has(name) && !hasStar)
        findings.push(
          finding(
            "never-defined",
            cell,
            name,
            `"${name}" is used in cell ${cell.index + 1}, but no cell defines it; was its cell deleted?`,
          ),
        );
    }
    for (const name of defines) {
      const earlier = definedIn.get(name);
      if (earlier !== undefined && !name.startsWith("_"))
        findings.push(
          finding(
            "defined-again",
            cell,
            name,
            `"${name}" is defined in cell ${earlier.index + 1} and again in cell ${cell.index + 1}`,
          ),
        );
      definedIn.set(name, cell);
    }
  }
  return { findings, edges };
}

function finding(rule: HiddenStateRule, cell: NotebookCell, name: string, message: string): HiddenStateFinding {
  return { rule, cellId: cell.id, cellIndex: cell.index, message, name };
}

function* countFindings(cells: readonly NotebookCell[]): Generator<HiddenStateFinding> {
  const executed = cells.filter(({ executionCount }) => executionCount !== undefined);
  const at = (rule: HiddenStateRule, cell: NotebookCell, message: string): HiddenStateFinding => ({
    rule,
    cellId: cell.id,
    cellIndex: cell.index,
    message,
  });
  let last = 0;
  const seen = new Set<number>();
  for (const cell of cells) {
    const count = cell.executionCount;
    if (count === undefined) {
      if (cell.outputs.length > 0)
        yield at("output-without-count", cell, `cell ${cell.index + 1} has outputs, but was not executed`);
      else if (executed.length > 0 && cell.source.trim() !== "")
        yield at("never-executed", cell, `cell ${cell.index + 1} was not executed, others were`);
      continue;
    }
    if (seen.has(count))
      yield at("executed-again", cell, `cell ${cell.index + 1} has the count ${count} of another cell`);
    else if (count < last)
      yield at(
        "executed-out-of-order",
        cell,
        `cell ${cell.index + 1} was executed as number ${count}, after a cell below it`,
      );
    else if (count > last + 1)
      yield at(
        "gap-in-counts",
        cell,
        `cell ${cell.index + 1} was executed as number ${count} after number ${last}: what ran between is not in the notebook`,
      );
    seen.add(count);
    last = Math.max(last, count);
  }
}

function withoutMagics(source: string): string {
  return source.replace(/^\s*[%!].*$/gm, (line) => `#${" ".repeat(Math.max(0, line.length - 1))}`);
}

interface CellNames {
  readonly defines: ReadonlySet<string>;
  /**
   * Names that must exist before the cell runs: used at its top level before the cell itself defines them, or inside
   * its functions.
   */
  readonly uses: ReadonlySet<string>;
  /** `from x import *`: any name may be defined. */
  readonly star: boolean;
}

const SCOPES: readonly string[] = [
  "FunctionDefinition",
  "ClassDefinition",
  "LambdaExpression",
  "ArrayComprehensionExpression",
  "DictionaryComprehensionExpression",
  "SetComprehensionExpression",
  "ComprehensionExpression",
];

/** `sum(x for x in y)`: the arguments are a scope of their own. */
function isScope(node: SyntaxNode): boolean {
  return SCOPES.includes(node.name) || (node.name === "ArgList" && node.getChild("for") !== null);
}

function namesOf(script: SyntaxNode, source: string): CellNames {
  const defines = new Set<string>();
  const uses = new Set<string>();
  let star = false;
  const text = (node: SyntaxNode): string => source.slice(node.from, node.to);
  const use = (name: string, local: ReadonlySet<string>): void => {
    if (!local.has(name) && !defines.has(name)) uses.add(name);
  };
  function walkScope(node: SyntaxNode, local: ReadonlySet<string>): void {
    const inner = new Set([...local, ...boundNames(node, text)]);
    const name = node.name.endsWith("Definition") ? node.getChild("VariableName") : null;
    if (name !== null && local.size === 0) defines.add(text(name));
    for (const child of children(node)) if (child.from !== name?.from) walk(child, inner);
  }
  function walkStatement(node: SyntaxNode, local: ReadonlySet<string>): void {
    const targets = targetsOf(node);
    for (const child of children(node)) if (!targets.some(({ from }) => from === child.from)) walk(child, local);
    const names = targets.flatMap((target) => plainNames(target, text));
    for (const name of names) if (!local.has(name)) defines.add(name);
  }
  function walk(node: SyntaxNode, local: ReadonlySet<string>): void {
    if (node.name === "ImportStatement") {
      star ||= text(node).includes("*");
      for (const name of importedNames(node, text)) defines.add(name);
    } else if (isScope(node)) walkScope(node, local);
    else if (node.name === "VariableName") use(text(node), local);
    else if (node.name === "ArgList") {
      for (const child of children(node)) if (!isKeyword(child)) walk(child, local);
    } else walkStatement(node, local);
  }
  walk(script, new Set());
  return { defines, uses, star };
}

/** The name in `f(name=value)`. */
function isKeyword(node: SyntaxNode): boolean {
  return node.name === "VariableName" && node.nextSibling?.name === "AssignOp";
}

/** Nodes that a statement assigns to. `x += 1` and `x.y = 1` use x. */
function targetsOf(node: SyntaxNode): readonly SyntaxNode[] {
  const parts = children(node);
  if (node.name === "AssignStatement" || node.name === "NamedExpression") {
    const last = parts.findLastIndex((part) => part.name === "AssignOp");
    return parts.slice(0, last === -1 ? 1 : last).filter((part) => isTarget(part));
  }
  if (node.name === "ForStatement")
    return parts
      .slice(
        0,
        parts.findIndex((part) => part.name === "in"),
      )
      .filter((part) => isTarget(part));
  if (node.name === "WithStatement" || node.name === "TryStatement")
    return parts.filter((part, index) => parts[index - 1]?.name === "as" && isTarget(part));
  return [];
}

function isTarget(node: SyntaxNode): boolean {
  return ["VariableName", "TupleExpression", "ArrayExpression", "ParenthesizedExpression"].includes(node.name);
}

function plainNames(node: SyntaxNode, text: (node: SyntaxNode) => string): readonly string[] {
  if (node.name === "VariableName") return [text(node)];
  return isTarget(node) ? children(node).flatMap((child) => plainNames(child, text)) : [];
}

function importedNames(node: SyntaxNode, text: (node: SyntaxNode) => string): readonly string[] {
  const statement = text(node).replace(/\\\n|[()]/g, " ");
  const list = /^from\s+\S+\s+import\s+([\s\S]*)$/.exec(statement)?.[1] ?? statement.replace(/^import\s+/, "");
  return list.split(",").flatMap((part) => {
    const words = part
      .replace(/#.*$/gm, "")
      .trim()
      .split(/\s+as\s+/);
    const name = words[1] ?? words[0]?.split(".")[0] ?? "";
    return /^\w+$/.test(name) ? [name] : [];
  });
}

/** Names that a function, lambda or comprehension binds for itself: parameters, loop targets, assignments. */
function boundNames(node: SyntaxNode, text: (node: SyntaxNode) => string): ReadonlySet<string> {
  const bound = new Set<string>();
  const visit = (inner: SyntaxNode): void => {
    if (inner.name === "ParamList") parameterNames(inner, text).forEach((name) => bound.add(name));
    else if (inner.name === "ImportStatement") importedNames(inner, text).forEach((name) => bound.add(name));
    else if (inner !== node && inner.name.endsWith("Definition"))
      children(inner)
        .filter(({ name }) => name === "VariableName")
        .forEach((name) => bound.add(text(name)));
    else {
      const targets = [...targetsOf(inner), ...comprehensionTargets(inner)];
      targets.flatMap((target) => plainNames(target, text)).forEach((name) => bound.add(name));
      for (const child of children(inner)) visit(child);
    }
  };
  visit(node);
  return bound;
}

function parameterNames(list: SyntaxNode, text: (node: SyntaxNode) => string): readonly string[] {
  return children(list)
    .filter((child) => child.name === "VariableName" && child.prevSibling?.name !== "AssignOp")
    .map(text);
}

function comprehensionTargets(node: SyntaxNode): readonly SyntaxNode[] {
  if (!node.name.includes("Comprehension") && node.name !== "ArgList") return [];
  const parts = children(node);
  let inTarget = false;
  return parts.filter((part) => {
    if (part.name === "for") inTarget = true;
    else if (part.name === "in") inTarget = false;
    else return inTarget;
    return false;
  });
}
