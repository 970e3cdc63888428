import { useMemo } from "react";
import { message, type MessageKey, type MessageParams } from "../../messages/messages.ts";
import { trackingEn } from "../../messages/tracking-en.ts";
import { trackingPtBr } from "../../messages/tracking-pt-br.ts";
import type { Format } from "../../models/format.ts";
import { useLanguage } from "../language.tsx";

export type TrackingKey = keyof typeof trackingEn;

interface TrackingText {
  readonly t: (key: TrackingKey | MessageKey, params?: MessageParams) => string;
  /** For keys made of data: the text itself when there is no message for it. */
  readonly name: (prefix: string, value: string) => string;
  readonly format: Format;
}

/** Messages of the pages of experiments and of the registry: they come with those pages, not with the start. */
export function useTrackingText(): TrackingText {
  const main = useLanguage();
  return useMemo(() => {
    const messages: Readonly<Record<TrackingKey, string>> = main.language === "en" ? trackingEn : trackingPtBr;
    const t: TrackingText["t"] = (key, params) =>
      key in messages
        ? message({ language: main.language, messages }, key as TrackingKey, params)
        : main.t(key as MessageKey, params);
    const name = (prefix: string, value: string): string =>
      `${prefix}.${value}` in messages ? t(`${prefix}.${value}` as TrackingKey) : main.name(prefix, value);
    return { t, name, format: main.format };
  }, [main]);
}
