/** What an approval for an environment is bound to. */
export const APPROVAL_BINDINGS = ["recipe", "version"] as const;
/** As it may be written: `source` is what `recipe` was called. */
export const WRITTEN_BINDINGS = [...APPROVAL_BINDINGS, "source"] as const;
export const DATA_PACKAGINGS = ["value", "reference"] as const;
export const LANGUAGES = ["en", "pt-BR"] as const;
export type Language = (typeof LANGUAGES)[number];
