import type { Language } from "#config";
import { en, type MessageKey } from "./en.ts";
import { ptBr } from "./pt-br.ts";

export type { MessageKey };

/** Every sentence of the CLI, by language; a key missing in one does not compile. */
export const messages: Readonly<Record<Language, Readonly<Record<MessageKey, string>>>> = { en, "pt-BR": ptBr };
