import { type KeyboardEvent, type MouseEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { GridState, StateGrid } from "#api";
import { gridMessages } from "../messages/grid.ts";
import { message } from "../messages/messages.ts";
import {
  CELL,
  cellAt,
  cellsOf,
  countStates,
  type GridCell,
  layOut,
  type Move,
  moveCell,
  MOVES,
  stateAt,
  toSections,
} from "../models/state-grid.ts";
import { CommandButton } from "./command-button.tsx";
import { useLanguage } from "./language.tsx";
import { StateMark } from "./state.tsx";
import { drawGrid } from "./state-grid-canvas.ts";
import "./state-grid.css";

interface StateGridProps {
  readonly grid: StateGrid;
  readonly label: string;
  /** Opens what a cell is of. */
  readonly onOpen: (cell: GridCell) => void;
  /** Has the chosen cells run again. */
  readonly retry: {
    readonly label: string;
    readonly run: (cells: readonly GridCell[]) => Promise<unknown>;
  };
}

const keyOf = ({ section, row, column }: GridCell): string => `${section} ${row} ${column}`;
/** Of partitions, the newest is looked at first. */
const startOf = ({ columns }: StateGrid): GridCell => ({
  section: 0,
  row: 0,
  column: Math.max(0, columns.length - 1),
});

export function useGridWords() {
  const { language, name } = useLanguage();
  const say = useCallback(
    (key: keyof (typeof gridMessages)["en"], params: Readonly<Record<string, string | number>> = {}) =>
      message({ language, messages: gridMessages[language] }, key, params),
    [language],
  );
  const word = useCallback(
    (state: GridState) => (state === "missing" ? say("missing") : name("state", state)),
    [say, name],
  );
  return { say, word };
}

/**
 * Thousands of cells by their state: drawn where they are seen, walked with the keys of the keyboard and said as they
 * are walked, counted in a table.
 */
export function StateGridView({ grid, label, onOpen, retry }: StateGridProps) {
  const { say, word } = useGridWords();
  const sections = useMemo(() => toSections(grid), [grid]);
  const [cursor, setCursor] = useState<GridCell>(() => startOf(grid));
  const [filter, setFilter] = useState<GridState>();
  const [chosen, setChosen] = useState<ReadonlyMap<string, GridCell>>(new Map());
  const columnName = useCallback(
    (column: number) => grid.columns[column] ?? say("item", { number: column + 1 }),
    [grid, say],
  );
  const toggle = (cell: GridCell): void =>
    setChosen((before) => {
      const next = new Map(before);
      if (!next.delete(keyOf(cell))) next.set(keyOf(cell), cell);
      return next;
    });
  const open = (cell: GridCell): void => {
    if (stateAt(sections, cell) !== "missing") onOpen(cell);
  };
  const first = sections[cursor.section]?.rows[cursor.row];
  if (sections.length === 0) return null;
  return (
    <div>
      <div className="grid-bar" role="group" aria-label={say("filter")}>
        <Filters grid={grid} value={filter} onChange={setFilter} />
        {filter !== undefined && filter !== "missing" && (
          <button
            type="button"
            className="plain-button"
            onClick={() => setChosen(new Map(cellsOf(sections, filter).map((cell) => [keyOf(cell), cell])))}
          >
            {say("choose", { state: word(filter) })}
          </button>
        )}
        {chosen.size > 0 && (
          <>
            <span className="muted">{say("chosen", { count: chosen.size })}</span>
            <CommandButton
              label={retry.label}
              icon="resume"
              action="run"
              size="xs"
              run={() => retry.run([...chosen.values()])}
              onDone={() => setChosen(new Map())}
              done={say("retrying")}
            />
            <button type="button" className="plain-button" onClick={() => setChosen(new Map())}>
              {say("clear")}
            </button>
          </>
        )}
      </div>
      <Canvas
        label={label}
        sections={sections}
        cursor={cursor}
        isNewestFirst={grid.columns.length > 0}
        filter={filter}
        isChosen={(cell) => chosen.has(keyOf(cell))}
        labelOf={(cell) => labelText(grid, cell, sections[cell.section]?.rows[cell.row]?.step ?? "", columnName)}
        onMove={setCursor}
        onOpen={open}
        onToggle={toggle}
      />
      <div className="grid-bar grid-said">
        <output>
          {say("cell", {
            step: first?.step ?? "",
            column: columnName(cursor.column),
            state: word(stateAt(sections, cursor)),
          })}
        </output>
        <span className="muted" id="grid-help">
          {say("help")}
        </span>
      </div>
      <Counts grid={grid} />
    </div>
  );
}

/** Of items, the step stands beside its first ones, and a number beside the others. */
function labelText(
  grid: StateGrid,
  { row, column }: GridCell,
  step: string,
  columnName: (column: number) => string,
): string {
  if (grid.columns.length === 0) return column === 0 ? step : columnName(column);
  return row === 0 ? `${columnName(column)} ${step}` : step;
}

function Filters({
  grid,
  value,
  onChange,
}: {
  readonly grid: StateGrid;
  readonly value: GridState | undefined;
  readonly onChange: (state: GridState | undefined) => void;
}) {
  const { format } = useLanguage();
  const { say, word } = useGridWords();
  const counts = useMemo(() => countStates(toSections(grid).flatMap(({ rows }) => rows)), [grid]);
  return (
    <>
      <button
        type="button"
        className="grid-filter"
        aria-pressed={value === undefined}
        onClick={() => onChange(undefined)}
      >
        {say("all")}
      </button>
      {[...counts].map(([state, count]) => (
        <button
          key={state}
          type="button"
          className="grid-filter"
          aria-pressed={value === state}
          onClick={() => onChange(value === state ? undefined : state)}
        >
          {state !== "missing" && <StateMark state={state} />}
          <span aria-hidden={state !== "missing"}>{word(state)}</span> {format.number(count)}
        </button>
      ))}
    </>
  );
}

/** The same in numbers. */
function Counts({ grid }: { readonly grid: StateGrid }) {
  const { format } = useLanguage();
  const { say, word } = useGridWords();
  const rows = useMemo(() => toSections(grid).flatMap((section) => section.rows), [grid]);
  const states = [...countStates(rows).keys()];
  return (
    <details className="grid-counts">
      <summary>{say("byStep")}</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">{say("step")}</th>
            {states.map((state) => (
              <th key={state} scope="col">
                {word(state)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const counts = countStates([row]);
            return (
              <tr key={row.step}>
                <th scope="row">{row.step}</th>
                {states.map((state) => (
                  <td key={state}>{format.number(counts.get(state) ?? 0)}</td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </details>
  );
}

interface CanvasProps {
  readonly label: string;
  readonly sections: ReturnType<typeof toSections>;
  readonly cursor: GridCell;
  /** It begins at its end. */
  readonly isNewestFirst: boolean;
  readonly filter: GridState | undefined;
  readonly isChosen: (cell: GridCell) => boolean;
  readonly labelOf: (cell: GridCell) => string;
  readonly onMove: (cell: GridCell) => void;
  readonly onOpen: (cell: GridCell) => void;
  readonly onToggle: (cell: GridCell) => void;
}

function Canvas(props: CanvasProps) {
  const { label, sections, cursor, isNewestFirst, filter, isChosen, labelOf, onMove, onOpen, onToggle } = props;
  const outer = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const layout = useMemo(() => layOut(sections, width), [sections, width]);
  const draw = useCallback(() => {
    const [box, target] = [outer.current, canvas.current];
    if (box === null || target === null || width === 0) return;
    const height = Math.min(box.clientHeight, layout.height);
    drawGrid(target, { sections, layout, top: box.scrollTop, width, height, cursor, filter, isChosen, labelOf });
  }, [sections, layout, width, cursor, filter, isChosen, labelOf]);
  useEffect(() => {
    const box = outer.current;
    if (box === null) return undefined;
    const observer = new ResizeObserver(() => setWidth(box.clientWidth));
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  const hasWidth = width > 0;
  useEffect(() => {
    const box = outer.current;
    if (hasWidth && isNewestFirst && box !== null) box.scrollTop = box.scrollHeight;
  }, [hasWidth, isNewestFirst]);
  useEffect(draw, [draw]);
  useEffect(() => {
    const observer = new MutationObserver(draw);
    observer.observe(document.documentElement, { attributeFilter: ["data-mantine-color-scheme"] });
    return () => observer.disconnect();
  }, [draw]);
  const move = (cell: GridCell): void => {
    onMove(cell);
    const band = layout.bands.find(
      ({ section, from, to }) => section === cell.section && from <= cell.column && cell.column < to,
    );
    const box = outer.current;
    if (band === undefined || box === null) return;
    const y = band.top + cell.row * CELL;
    if (y < box.scrollTop) box.scrollTop = y - CELL;
    else if (y + CELL > box.scrollTop + box.clientHeight) box.scrollTop = y + 2 * CELL - box.clientHeight;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Enter") onOpen(cursor);
    else if (event.key === " ") onToggle(cursor);
    else if (isMove(event.key)) move(moveCell(sections, layout.perBand, cursor, { key: event.key, state: filter }));
    else return;
    event.preventDefault();
  };
  const cellOf = (event: MouseEvent): GridCell | undefined => {
    const box = outer.current;
    if (box === null) return undefined;
    const { left, top } = box.getBoundingClientRect();
    return cellAt(sections, layout, { x: event.clientX - left, y: event.clientY - top + box.scrollTop });
  };
  const onClick = (event: MouseEvent): void => {
    const cell = cellOf(event);
    if (cell === undefined) return;
    onMove(cell);
    if (event.shiftKey || event.ctrlKey || event.metaKey) onToggle(cell);
    else onOpen(cell);
  };
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- an application is walked with the keys
    <div
      ref={outer}
      className="grid-scroll"
      role="application"
      aria-label={label}
      aria-describedby="grid-help"
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it is walked with the keys
      tabIndex={0}
      onScroll={draw}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onMouseMove={(event) => {
        const cell = cellOf(event);
        if (cell !== undefined && event.buttons === 0) onMove(cell);
      }}
    >
      <div style={{ height: width === 0 ? 0 : layout.height }}>
        <canvas ref={canvas} aria-hidden="true" />
      </div>
    </div>
  );
}

function isMove(key: string): key is Move {
  return MOVES.some((move) => move === key);
}
