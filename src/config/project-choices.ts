/** What an approval for an environment is bound to. */
export const APPROVAL_BINDINGS = ["source", "version"] as const;
export const DATA_PACKAGINGS = ["value", "reference"] as const;
export const LANGUAGES = ["en", "pt-BR"] as const;
export type Language = (typeof LANGUAGES)[number];
