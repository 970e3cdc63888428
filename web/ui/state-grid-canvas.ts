import type { GridState } from "#api";
import { CELL, type GridCell, type GridLayout, type GridSection, GUTTER, stateAt } from "../models/state-grid.ts";

const SIZE = CELL - 2;

/** What is drawn of a grid: the part that is seen, and nothing else, however many cells there are. */
export interface GridPicture {
  readonly sections: readonly GridSection[];
  readonly layout: GridLayout;
  /** Pixels that are scrolled away, and the size of what is seen. */
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly cursor: GridCell | undefined;
  readonly filter: GridState | undefined;
  readonly isChosen: (cell: GridCell) => boolean;
  /** Beside the first cells of a band: a step, or the column that it begins with. */
  readonly labelOf: (cell: GridCell) => string;
}

/** Draws a grid; each state has a shape beside its colour. */
export function drawGrid(canvas: HTMLCanvasElement, picture: GridPicture): void {
  const { width, height, top, layout, sections } = picture;
  const ratio = window.devicePixelRatio;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const colors: Colors = {
    good: color("good"),
    bad: color("bad"),
    running: color("running"),
    waiting: color("waiting"),
    idle: color("idle"),
    cached: color("cached"),
    line: color("line-strong"),
    surface: color("surface"),
    ink: color("ink"),
    soft: color("ink-soft"),
    accent: color("accent"),
  };
  context.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  context.textBaseline = "middle";
  for (const band of layout.bands) {
    const rows = sections[band.section]?.rows.length ?? 0;
    if (band.top + rows * CELL < top || band.top > top + height) continue;
    for (let row = 0; row < rows; row++) {
      const y = band.top + row * CELL - top;
      context.fillStyle = colors.soft;
      context.globalAlpha = 1;
      const label = picture.labelOf({ section: band.section, row, column: band.from });
      context.fillText(fit(context, label), 12, y + CELL / 2, GUTTER - 20);
      for (let column = band.from; column < band.to; column++)
        drawCell(
          context,
          { section: band.section, row, column },
          { picture, colors, x: GUTTER + (column - band.from) * CELL, y },
        );
    }
  }
}

type Colors = Readonly<
  Record<
    "good" | "bad" | "running" | "waiting" | "idle" | "cached" | "line" | "surface" | "ink" | "soft" | "accent",
    string
  >
>;

/** Fill, or an outline alone, and the mark in it. */
const LOOKS: Readonly<
  Record<
    GridState,
    {
      readonly color: keyof Colors;
      readonly isFilled: boolean;
      readonly mark?: "cross" | "dot" | "bars" | "slash" | "dash";
    }
  >
> = {
  succeeded: { color: "good", isFilled: true },
  cached: { color: "cached", isFilled: true, mark: "dash" },
  failed: { color: "bad", isFilled: true, mark: "cross" },
  running: { color: "running", isFilled: true, mark: "dot" },
  waiting: { color: "waiting", isFilled: true, mark: "bars" },
  queued: { color: "idle", isFilled: false, mark: "dot" },
  pending: { color: "line", isFilled: false },
  skipped: { color: "idle", isFilled: false, mark: "slash" },
  cancelled: { color: "idle", isFilled: false, mark: "dash" },
  missing: { color: "line", isFilled: false },
};

function drawCell(
  context: CanvasRenderingContext2D,
  cell: GridCell,
  {
    picture,
    colors,
    x,
    y,
  }: { readonly picture: GridPicture; readonly colors: Colors; readonly x: number; readonly y: number },
): void {
  const { sections, filter, cursor } = picture;
  const state = stateAt(sections, cell);
  const { color, isFilled, mark } = LOOKS[state];
  context.globalAlpha = filter === undefined || filter === state ? 1 : 0.13;
  context.fillStyle = colors[color];
  context.strokeStyle = colors[color];
  context.lineWidth = 1;
  if (isFilled) context.fillRect(x, y, SIZE, SIZE);
  else if (state !== "missing") context.strokeRect(x + 0.5, y + 0.5, SIZE - 1, SIZE - 1);
  else context.fillRect(x + SIZE / 2 - 1, y + SIZE / 2 - 1, 2, 2);
  drawMark(context, mark, { x, y, color: isFilled ? colors.surface : colors[color] });
  context.globalAlpha = 1;
  const isCursor = cursor?.section === cell.section && cursor.row === cell.row && cursor.column === cell.column;
  if (!isCursor && !picture.isChosen(cell)) return;
  context.strokeStyle = isCursor ? colors.ink : colors.accent;
  context.lineWidth = 2;
  context.strokeRect(x - 1, y - 1, SIZE + 2, SIZE + 2);
}

function drawMark(
  context: CanvasRenderingContext2D,
  mark: "cross" | "dot" | "bars" | "slash" | "dash" | undefined,
  { x, y, color }: { readonly x: number; readonly y: number; readonly color: string },
): void {
  if (mark === undefined) return;
  context.strokeStyle = color;
  context.fillStyle = color;
  context.lineWidth = 1.5;
  if (mark === "dot") return context.fillRect(x + 3, y + 3, SIZE - 6, SIZE - 6);
  if (mark === "bars") {
    context.fillRect(x + 3, y + 2, 1.5, SIZE - 4);
    return context.fillRect(x + SIZE - 4.5, y + 2, 1.5, SIZE - 4);
  }
  context.beginPath();
  if (mark === "dash") {
    context.moveTo(x + 2.5, y + SIZE / 2);
    context.lineTo(x + SIZE - 2.5, y + SIZE / 2);
  } else {
    context.moveTo(x + 2.5, y + SIZE - 2.5);
    context.lineTo(x + SIZE - 2.5, y + 2.5);
  }
  if (mark === "cross") {
    context.moveTo(x + 2.5, y + 2.5);
    context.lineTo(x + SIZE - 2.5, y + SIZE - 2.5);
  }
  context.stroke();
}

function fit(context: CanvasRenderingContext2D, text: string): string {
  if (context.measureText(text).width <= GUTTER - 20) return text;
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > GUTTER - 20) length--;
  return `${text.slice(0, length)}…`;
}
