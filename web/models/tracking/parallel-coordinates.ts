import type { Dimension } from "./run-comparison.ts";

export interface CoordinateAxis {
  readonly id: string;
  readonly label: string;
  /** 0 to 1 of the width. */
  readonly x: number;
  /** 0 is the top, 1 the bottom. */
  readonly ticks: readonly { readonly y: number; readonly text: string | number }[];
}

export interface CoordinateLine {
  /** Index of the run. */
  readonly run: number;
  /** Stretches between axes where the run has values; a missing value breaks the line. */
  readonly pieces: readonly (readonly { readonly x: number; readonly y: number }[])[];
  /** 0 to 1 on the last numeric axis, for the colour; undefined without a value. */
  readonly shade: number | undefined;
}

const NUMERIC_TICKS = 5;

/** Lays out one line per run over one axis per dimension; numbers grow upwards, texts stand in order of name. */
export function parallelCoordinates(dimensions: readonly Dimension[]): {
  readonly axes: readonly CoordinateAxis[];
  readonly lines: readonly CoordinateLine[];
} {
  const scales = dimensions.map(toScale);
  const x = (index: number): number => (dimensions.length < 2 ? 0.5 : index / (dimensions.length - 1));
  const axes = dimensions.map((dimension, index): CoordinateAxis => ({
    id: dimension.id,
    label: dimension.label,
    x: x(index),
    ticks: scales[index]?.ticks ?? [],
  }));
  const shadeBy = dimensions.findLastIndex(({ isNumeric }) => isNumeric);
  const count = Math.max(0, ...dimensions.map(({ values }) => values.length));
  const lines = Array.from({ length: count }, (_, run): CoordinateLine => {
    const shade = shadeBy < 0 ? undefined : scales[shadeBy]?.place(dimensions[shadeBy]?.values[run]);
    return {
      run,
      pieces: piecesOf(dimensions.map(({ values }, index) => ({ x: x(index), y: scales[index]?.place(values[run]) }))),
      shade: shade === undefined ? undefined : 1 - shade,
    };
  });
  return { axes, lines };
}

interface Scale {
  place(value: number | string | undefined): number | undefined;
  readonly ticks: CoordinateAxis["ticks"];
}

function toScale({ values, isNumeric }: Dimension): Scale {
  if (!isNumeric) return textScale(values);
  const numbers = values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
  const min = numbers.reduce((least, value) => Math.min(least, value), Infinity);
  const max = numbers.reduce((most, value) => Math.max(most, value), -Infinity);
  const span = max - min;
  const place = (value: number | string | undefined): number | undefined =>
    typeof value !== "number" || !Number.isFinite(value) ? undefined : span === 0 ? 0.5 : 1 - (value - min) / span;
  if (numbers.length === 0) return { place, ticks: [] };
  const ticks =
    span === 0
      ? [{ y: 0.5, text: min }]
      : Array.from({ length: NUMERIC_TICKS }, (_, index) => ({
          y: 1 - index / (NUMERIC_TICKS - 1),
          text: min + (span * index) / (NUMERIC_TICKS - 1),
        }));
  return { place, ticks };
}

function textScale(values: Dimension["values"]): Scale {
  const texts = [...new Set(values.filter((value) => value !== undefined).map(String))].sort((left, right) =>
    left.localeCompare(right),
  );
  const y = (index: number): number => (texts.length < 2 ? 0.5 : index / (texts.length - 1));
  const position = new Map(texts.map((text, index) => [text, y(index)]));
  return {
    place: (value) => (value === undefined ? undefined : position.get(String(value))),
    ticks: texts.map((text, index) => ({ y: y(index), text })),
  };
}

function piecesOf(points: readonly { readonly x: number; readonly y: number | undefined }[]): CoordinateLine["pieces"] {
  const pieces: { x: number; y: number }[][] = [[]];
  for (const { x, y } of points) {
    if (y === undefined) pieces.push([]);
    else pieces.at(-1)?.push({ x, y });
  }
  return pieces.filter((piece) => piece.length > 0);
}
