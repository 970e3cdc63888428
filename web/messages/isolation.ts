import type { Language } from "./messages.ts";

interface Unisolated {
  readonly release: string;
  readonly made: string;
  readonly level: string;
}

/** Read by the page of releases alone. */
export const isolationMessages: Readonly<Record<Language, (facts: Unisolated) => string>> = {
  en: ({ release, made, level }) =>
    release === made
      ? `${release} was made without a sandbox (${level}).`
      : `${release} is live, but ${made}, which it was made from, was made without a sandbox (${level}).`,
  "pt-BR": ({ release, made, level }) =>
    release === made
      ? `${release} foi feito sem sandbox (${level}).`
      : `${release} está no ar, mas ${made}, de que foi feito, foi feito sem sandbox (${level}).`,
};
