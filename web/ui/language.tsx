import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import {
  type Catalogue,
  chooseLanguage,
  type Language,
  LANGUAGES,
  loadCatalogue,
  message,
  type MessageKey,
  type MessageParams,
} from "../messages/messages.ts";
import { createFormat, type Format } from "../models/format.ts";

interface LanguageContextValue {
  readonly language: Language;
  readonly languages: readonly Language[];
  /** Chosen by the person: remembered. */
  readonly setLanguage: (language: Language) => void;
  /** Named by the project: taken as long as nobody chose. */
  readonly suggestLanguage: (language: Language) => void;
  readonly t: (key: MessageKey, params?: MessageParams) => string;
  /** For keys made of data: the text itself when there is no message for it. */
  readonly name: (prefix: string, value: string) => string;
  readonly format: Format;
}

const LanguageContext = createContext<LanguageContextValue | undefined>(undefined);
const STORAGE_KEY = "esteira-language";

/** The messages to start with; nothing is shown before they are here. */
export function loadFirstCatalogue(): Promise<Catalogue> {
  return loadCatalogue(chooseLanguage(localStorage.getItem(STORAGE_KEY), navigator.language));
}

export function LanguageProvider({ children, first }: { readonly children: ReactNode; readonly first: Catalogue }) {
  const [catalogue, setCatalogue] = useState(first);
  const { language } = catalogue;
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const setLanguage = useCallback((next: Language) => {
    localStorage.setItem(STORAGE_KEY, next);
    void loadCatalogue(next).then(setCatalogue);
  }, []);
  const suggestLanguage = useCallback((next: Language) => {
    if (localStorage.getItem(STORAGE_KEY) === null) void loadCatalogue(next).then(setCatalogue);
  }, []);
  const value = useMemo<LanguageContextValue>(() => {
    const t = (key: MessageKey, params?: MessageParams): string => message(catalogue, key, params);
    const name = (prefix: string, text: string): string =>
      `${prefix}.${text}` in catalogue.messages ? t(`${prefix}.${text}` as MessageKey) : text;
    return { language, languages: LANGUAGES, setLanguage, suggestLanguage, t, name, format: createFormat(language) };
  }, [language, setLanguage, suggestLanguage, catalogue]);
  return <LanguageContext value={value}>{children}</LanguageContext>;
}

/** Messages, formats and the switch of the current language. */
export function useLanguage(): LanguageContextValue {
  const value = useContext(LanguageContext);
  if (value === undefined) throw new Error("useLanguage outside of LanguageProvider");
  return value;
}
