import type { Language } from "./messages.ts";

/** Texts of errors by code; a part that is missing is the server's. */
export type ProblemTexts = Readonly<Record<string, { readonly message?: string; readonly hint?: string }>>;

export interface ProblemCatalogue {
  readonly texts: ProblemTexts;
  /** Words of the server within a text, in the language. */
  readonly terms: Readonly<Record<string, string>>;
}

/** Read with the first error that is shown. */
export async function loadProblems(language: Language): Promise<ProblemCatalogue> {
  if (language === "en") return { texts: (await import("./problems-en.ts")).problemsEn, terms: {} };
  const { problemsPtBr, termsPtBr } = await import("./problems-pt-br.ts");
  return { texts: problemsPtBr, terms: termsPtBr };
}

interface TextedProblem {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly context?: Readonly<Record<string, unknown>> | undefined;
}

/** An error in the words of the catalogue; in the server's where the catalogue, or a fact that it needs, is missing. */
export function problemText(
  { texts, terms }: ProblemCatalogue,
  problem: TextedProblem,
): { readonly message: string; readonly hint: string | undefined } {
  const text = texts[problem.code];
  const fill = (template: string | undefined): string | undefined =>
    template === undefined ? undefined : fillIn(template, problem.context ?? {}, terms);
  return { message: fill(text?.message) ?? problem.message, hint: fill(text?.hint) ?? problem.hint };
}

/** Undefined when a fact is missing: a sentence with a hole would say less than the server's. */
function fillIn(
  template: string,
  context: Readonly<Record<string, unknown>>,
  terms: Readonly<Record<string, string>>,
): string | undefined {
  let isWhole = true;
  const text = template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = factText(context[name]);
    if (value === undefined) isWhole = false;
    return value === undefined ? whole : (terms[value] ?? value);
  });
  return isWhole ? text : undefined;
}

function factText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  return Array.isArray(value) && value.every((each) => typeof each === "string" || typeof each === "number")
    ? value.join(", ")
    : undefined;
}
