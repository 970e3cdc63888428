import { useMemo } from "react";
import { message, type MessageParams } from "../messages/messages.ts";
import { monitoringEn } from "../messages/monitoring-en.ts";
import { monitoringPtBr } from "../messages/monitoring-pt-br.ts";
import type { Format } from "../models/format.ts";
import { useLanguage } from "./language.tsx";

type MonitoringKey = keyof typeof monitoringEn;

/** Messages of windows and alerts: they come with these pages, not with the start. */
export function useMonitoringText(): {
  readonly t: (key: MonitoringKey, params?: MessageParams) => string;
  readonly format: Format;
} {
  const { language, format } = useLanguage();
  return useMemo(() => {
    const messages: Readonly<Record<MonitoringKey, string>> = language === "en" ? monitoringEn : monitoringPtBr;
    return { t: (key, params) => message({ language, messages }, key, params), format };
  }, [language, format]);
}
