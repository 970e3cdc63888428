/** What an approval for an environment is bound to. */
export const APPROVAL_BINDINGS = ["recipe", "version"] as const;
/** As it may be written: `source` is what `recipe` was called. */
export const WRITTEN_BINDINGS = [...APPROVAL_BINDINGS, "source"] as const;
export const DATA_PACKAGINGS = ["value", "reference"] as const;
/** How processes are isolated; `auto`: as well as the machine can. */
export const ISOLATION_SETTINGS = ["auto", "sandbox", "user", "none"] as const;
export const LANGUAGES = ["en", "pt-BR"] as const;
export type Language = (typeof LANGUAGES)[number];

/** Port of `esteira up`, unless it is told another. */
export const DEFAULT_PORT = 4740;
