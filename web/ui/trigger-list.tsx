import type { Trigger } from "#api";
import { triggerSentence } from "../models/trigger-sentence.ts";
import { Icon, type IconName } from "./icon.tsx";
import { useLanguage } from "./language.tsx";

const ICONS: Readonly<Record<Trigger["on"], IconName>> = {
  schedule: "clock",
  data: "dataset",
  alert: "alert",
  push: "commit",
  pull_request: "commit",
  webhook: "bolt",
  sensor: "dot",
};

/** What starts a pipeline, one chip each; by hand is always possible. */
export function TriggerList({ triggers }: { readonly triggers: readonly Trigger[] }) {
  const { t, language, format } = useLanguage();
  if (triggers.length === 0) return <span className="muted">{t("trigger.manual")}</span>;
  return (
    <span className="chips">
      {triggers.map((trigger, index) => {
        const { key, params } = triggerSentence(trigger, language);
        const next = trigger.nextAtMs?.[0];
        return (
          <span
            key={index}
            className="chip"
            title={[
              trigger.cron,
              trigger.timezone,
              next === undefined ? undefined : t("trigger.next", { time: format.moment(next) }),
            ]
              .filter((part) => part !== undefined)
              .join(" · ")}
          >
            <Icon name={ICONS[trigger.on]} size={13} />
            {t(key, params)}
            {trigger.timezone !== undefined && <span className="muted">{trigger.timezone.replaceAll("_", " ")}</span>}
          </span>
        );
      })}
    </span>
  );
}
