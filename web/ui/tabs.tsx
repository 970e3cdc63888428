import { type KeyboardEvent, type ReactNode, useId, useRef } from "react";
import { useSearchValue } from "./search-value.ts";

export interface Tab {
  readonly key: string;
  readonly label: string;
  readonly count?: string | undefined;
  readonly content: () => ReactNode;
}

/** Tabs kept in the address as `?tab=`; arrow keys move between them (WAI-ARIA tabs pattern). */
export function Tabs({ tabs, label }: { readonly tabs: readonly Tab[]; readonly label: string }) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const [value, setValue] = useSearchValue("tab");
  const current = tabs.find(({ key }) => key === value) ?? tabs[0];
  const onKey = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const index = tabs.findIndex((tab) => tab === current);
    const target =
      event.key === "Home"
        ? 0
        : event.key === "End"
          ? tabs.length - 1
          : step === undefined
            ? undefined
            : (index + step + tabs.length) % tabs.length;
    const next = target === undefined ? undefined : tabs[target];
    if (next === undefined || target === undefined) return;
    event.preventDefault();
    setValue(next.key);
    list.current?.querySelectorAll<HTMLButtonElement>("[role=tab]")[target]?.focus();
  };
  return (
    <>
      <div className="tabs" role="tablist" aria-label={label} ref={list}>
        {tabs.map((tab) => (
          <button
            key={tab.key}
            type="button"
            role="tab"
            id={`${id}-${tab.key}`}
            aria-selected={tab === current}
            aria-controls={`${id}-panel`}
            tabIndex={tab === current ? 0 : -1}
            onClick={() => setValue(tab.key)}
            onKeyDown={onKey}
          >
            {tab.label}
            {tab.count !== undefined && <span className="tab-count">{tab.count}</span>}
          </button>
        ))}
      </div>
      {current !== undefined && (
        <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${current.key}`}>
          {current.content()}
        </div>
      )}
    </>
  );
}
