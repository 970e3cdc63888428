import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { ActionButton } from "./action-button.tsx";
import { useTrackingText } from "./text.ts";

interface SavedView {
  readonly name: string;
  readonly search: Readonly<Record<string, unknown>>;
}

/** Filter, order and columns under a name, kept in this browser; the address itself is a view to send to others. */
export function SavedViews({ experimentId }: { readonly experimentId: string }) {
  const { t } = useTrackingText();
  const place = `esteira-run-views-${experimentId}`;
  const search: Readonly<Record<string, unknown>> = useSearch({ strict: false });
  const navigate = useNavigate();
  const [views, setViews] = useState(() => readViews(place));
  const keep = (next: readonly SavedView[]): void => {
    localStorage.setItem(place, JSON.stringify(next));
    setViews(next);
  };
  const current = views.find((view) => JSON.stringify(view.search) === JSON.stringify(search));
  const show = (name: string): void => {
    const view = views.find((each) => each.name === name);
    void navigate({ to: ".", search: (view?.search ?? {}) as never, replace: true });
  };
  return (
    <span className="button-row">
      {views.length > 0 && (
        <select
          className="field"
          aria-label={t("views.label")}
          value={current?.name ?? ""}
          onChange={(event) => show(event.target.value)}
        >
          <option value="">{t("views.none")}</option>
          {views.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
      {current === undefined ? (
        <ActionButton
          label={t("views.save")}
          icon="copy"
          isSmall
          title={t("views.save")}
          text={<span className="muted">{t("views.text")}</span>}
          fields={[{ name: "name", label: t("table.name") }]}
          run={async (values) =>
            keep([...views.filter(({ name }) => name !== values["name"]), { name: values["name"] ?? "", search }])
          }
        />
      ) : (
        <ActionButton
          label={t("views.delete")}
          icon="cross"
          isSmall
          title={t("views.delete.title", { name: current.name })}
          run={async () => keep(views.filter((view) => view !== current))}
        />
      )}
    </span>
  );
}

function readViews(place: string): readonly SavedView[] {
  try {
    const views: unknown = JSON.parse(localStorage.getItem(place) ?? "[]");
    return Array.isArray(views) ? (views as readonly SavedView[]) : [];
  } catch {
    return [];
  }
}
