import { Button } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef, useState } from "react";
import { firstColumns, type RunColumn } from "../../models/tracking/run-columns.ts";
import { Icon } from "../icon.tsx";
import { Modal } from "../overlay.tsx";
import { SearchBox } from "./tags.tsx";
import { useTrackingText } from "./text.ts";

interface ColumnChooserProps {
  readonly known: readonly RunColumn[];
  readonly chosen: readonly RunColumn[];
  readonly onChoose: (ids: readonly string[] | undefined) => void;
}

/** Which metrics, params, tags and attributes the table shows; thousands are no matter. */
export function ColumnChooser({ known, chosen, onChoose }: ColumnChooserProps) {
  const { t } = useTrackingText();
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button
        variant="default"
        size="xs"
        leftSection={<Icon name="features" size={14} />}
        onClick={() => setOpen(true)}
      >
        {t("columns.title")}
      </Button>
      <Modal
        opened={isOpen}
        onClose={() => setOpen(false)}
        title={t("columns.title")}
        size="lg"
        closeButtonProps={{ "aria-label": t("shell.close") }}
      >
        <ColumnList known={known} chosen={chosen} onChoose={onChoose} />
      </Modal>
    </>
  );
}

function ColumnList({ known, chosen, onChoose }: ColumnChooserProps) {
  const { t, name } = useTrackingText();
  const [words, setWords] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const ids = new Set(chosen.map(({ id }) => id));
  const all = [...known, ...chosen.filter(({ id }) => !known.some((column) => column.id === id))];
  const label = (column: RunColumn): string =>
    column.group === "attribute" ? name("runColumn", column.key) : column.key;
  const found = all.filter((column) => `${column.group} ${label(column)}`.toLowerCase().includes(words.toLowerCase()));
  const rows = useVirtualizer({
    count: found.length,
    getScrollElement: () => box.current,
    estimateSize: () => 30,
    overscan: 10,
  });
  const toggle = (id: string): void =>
    onChoose(ids.has(id) ? chosen.map((column) => column.id).filter((each) => each !== id) : [...ids, id]);
  const change = (isShown: boolean): void => {
    const own = new Set(found.map(({ id }) => id));
    onChoose(isShown ? [...new Set([...ids, ...own])] : [...ids].filter((id) => !own.has(id)));
  };
  return (
    <div className="form">
      <SearchBox label={t("columns.search")} value={words} onChange={setWords} />
      <div className="button-row">
        <button type="button" className="plain-button" onClick={() => change(true)}>
          {t("columns.all", { count: found.length })}
        </button>
        <button type="button" className="plain-button" onClick={() => change(false)}>
          {t("columns.noneShown")}
        </button>
        <button type="button" className="plain-button" onClick={() => onChoose(undefined)}>
          {t("columns.reset", { count: firstColumns(known).length })}
        </button>
      </div>
      <div
        ref={box}
        className="column-list"
        tabIndex={0}
        role="group"
        aria-label={t("columns.title")}
        style={{ height: 360 }}
      >
        <div style={{ height: rows.getTotalSize(), position: "relative" }}>
          {rows.getVirtualItems().map((item) => {
            const column = found[item.index];
            return column === undefined ? null : (
              <label
                key={column.id}
                style={{ position: "absolute", insetInline: 0, transform: `translateY(${item.start}px)` }}
              >
                <input type="checkbox" checked={ids.has(column.id)} onChange={() => toggle(column.id)} />
                <span className="clip">{label(column)}</span>
                <span className="muted">{name("columnGroup", column.group)}</span>
              </label>
            );
          })}
        </div>
      </div>
      <p className="muted">{t("columns.text")}</p>
    </div>
  );
}
