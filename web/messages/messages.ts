import type { en } from "./en.ts";

/** Languages of the pages, in the order of the switch. */
export const LANGUAGES = ["en", "pt-BR"] as const;
export type Language = (typeof LANGUAGES)[number];

export type MessageKey = keyof typeof en;
export type MessageParams = Readonly<Record<string, string | number>>;

/** Every message of one language; all languages have exactly the same keys. */
export interface Catalogue {
  readonly language: Language;
  readonly messages: Readonly<Record<MessageKey, string>>;
}

/** Only the language in use is read. */
export async function loadCatalogue(language: Language): Promise<Catalogue> {
  return { language, messages: language === "en" ? (await import("./en.ts")).en : (await import("./pt-BR.ts")).ptBR };
}

/** Separates the forms for one and for many: `{count} row || {count} rows`. */
const FORMS = " || ";

/**
 * A message with its parameters filled in; numbers are written as the language writes them.
 *
 * `count` chooses between the forms of a message that has two.
 */
export function message<Key extends string>(
  { language, messages }: { readonly language: Language; readonly messages: Readonly<Record<Key, string>> },
  key: Key,
  params: MessageParams = {},
): string {
  const [one = key as string, many = one] = messages[key].split(FORMS);
  const count = params["count"];
  const isOne = typeof count === "number" && new Intl.PluralRules(language).select(count) === "one";
  return (isOne ? one : many).replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? new Intl.NumberFormat(language).format(value) : value;
  });
}

/** The language to start with: the one chosen before, the project's, the browser's, else English. */
export function chooseLanguage(...wishes: readonly (string | null | undefined)[]): Language {
  for (const wish of wishes) {
    if (wish === null || wish === undefined) continue;
    const found = LANGUAGES.find((language) => language.toLowerCase() === wish.toLowerCase());
    if (found !== undefined) return found;
    if (wish.toLowerCase().startsWith("pt")) return "pt-BR";
    if (wish.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}
