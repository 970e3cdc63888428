import type { Page } from "playwright-core";

/** A number as a page shows it. */
export interface ShownNumber {
  /** The text it stands in, and what stands around that. */
  readonly text: string;
  readonly around: string;
  /** In the unit of the truth: a percentage as a share, a duration in ms, a size in bytes. */
  readonly value: number;
  /** Half of the last digit shown, in the same unit. */
  readonly precision: number;
  /** The page says that it is an estimate. */
  readonly estimated: boolean;
  /** Name of the figure, where the page gives one. */
  readonly figure: string | undefined;
}

export interface ShownTime {
  readonly text: string;
  readonly atMs: number;
}

/** A date in a text, with or without a time of day: what it names is a span of as much as its last part leaves open. */
export interface ShownDate {
  readonly text: string;
  readonly around: string;
  readonly fromMs: number;
  /** Excluded. */
  readonly toMs: number;
  /** The page says that it is an estimate. */
  readonly estimated: boolean;
}

interface ShownText {
  readonly text: string;
  readonly figure: string | undefined;
  readonly around: string;
}

const UNITS: Readonly<Record<string, number>> = {
  "%": 0.01,
  K: 1e3,
  k: 1e3,
  M: 1e6,
  B: 1e9,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  ms: 1,
  s: 1e3,
  min: 60e3,
  h: 3_600e3,
};
/** `77 B` are bytes, `1.2B` are billions. */
const NUMBER =
  /(?<![\w.-])(v|-|−|≈ ?|[<>] )?(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?:e([+-]?\d+))?(?: ?(%|kB|MB|GB|ms|min|[KMksh]|(?<! )B)(?![\w]))?(?![\w])/g;

/** Runs in the page. */
const READ = `(() => {
  const skipped = "script, style, pre, code, time, textarea, .cm-editor, .log-lines, .notebook, .vega-embed, .mono, .station-number, [hidden]";
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    const text = (node.textContent ?? "").replaceAll(/\\s+/g, " ").trim();
    if (element === null || !/\\d/.test(text) || element.closest(skipped) !== null) continue;
    const box = element.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) continue;
    texts.push({ text, figure: element.closest("[data-figure]")?.getAttribute("data-figure") ?? undefined, around: (element.parentElement?.textContent ?? "").replaceAll(/\\s+/g, " ").slice(0, 200) });
  }
  const times = [...document.querySelectorAll("time[datetime]")].map((element) => ({ text: element.textContent ?? "", at: element.getAttribute("datetime") ?? "" }));
  return { texts, times };
})()`;

/**
 * Every number that a person reads on the page, but for those in source code, logs and identifiers, every time, and
 * every date in a text.
 */
export async function readShown(page: Page): Promise<{
  readonly numbers: readonly ShownNumber[];
  readonly times: readonly ShownTime[];
  readonly dates: readonly ShownDate[];
}> {
  const { texts, times } = await page.evaluate<{
    readonly texts: readonly ShownText[];
    readonly times: readonly { readonly text: string; readonly at: string }[];
  }>(READ);
  return {
    numbers: texts.flatMap(numbersIn),
    times: times.map(({ text, at }) => ({ text, atMs: Date.parse(at) })),
    dates: texts.flatMap(datesIn),
  };
}

/** Dates and identifiers are no figures: `Jun 30, 2001, 6:00:00 AM`, `2001-01-01T00:00:00Z`, `2001-W14-000317`. */
const NO_FIGURE =
  /\b\d{4}-\d{2}-\d{2}(?:[T ][\d:.]+Z?)?|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\w* \d{1,2}(?:, \d{4})?(?:,? \d{1,2}:\d{2}(?::\d{2})?\s[AP]M)?|\b\w*[A-Za-z]\w*(?:-\w+)+|\b\w+(?:-\w*[A-Za-z]\w*)+(?:-\w+)*/g;

const ISO_DATE = /\b(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?)?Z?/g;
const WRITTEN_DATE =
  /\b((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{1,2}, \d{4})(?:, (\d{1,2}:\d{2})(:\d{2})?\s([AP]M))?/g;
const [SECOND_MS, MINUTE_MS, DAY_MS] = [1000, 60_000, 86_400_000];

/** The browser's time zone is UTC. */
function datesIn({ text, around }: ShownText): readonly ShownDate[] {
  const iso = [...text.matchAll(ISO_DATE)].map(([, date = "", time, seconds]) => ({
    fromMs: Date.parse(`${date}T${time ?? "00:00"}${seconds ?? ":00"}Z`),
    spanMs: spanOf(time, seconds),
  }));
  const written = [...text.matchAll(WRITTEN_DATE)].map(([, date = "", time, seconds, half]) => ({
    fromMs: Date.parse(`${date} ${time ?? "0:00"}${seconds ?? ":00"} ${half ?? ""} UTC`),
    spanMs: spanOf(time, seconds),
  }));
  return [...iso, ...written].map(({ fromMs, spanMs }) => ({
    text,
    around,
    fromMs,
    toMs: fromMs + spanMs,
    estimated: /≈/.test(text),
  }));
}

function spanOf(time: string | undefined, seconds: string | undefined): number {
  return time === undefined ? DAY_MS : seconds === undefined ? MINUTE_MS : SECOND_MS;
}

function numbersIn({ text, figure, around }: ShownText): readonly ShownNumber[] {
  const parts = [...text.replaceAll(NO_FIGURE, " ").matchAll(NUMBER)].map((match) => {
    const [, sign = "", whole = "0", fraction = "", exponent, unit = ""] = match;
    const scale = (UNITS[unit] ?? 1) * 10 ** Number(exponent ?? 0);
    const precision = (0.5 * scale) / 10 ** Math.max(0, fraction.length - 1);
    // "> 99%" lies between 99 and 100.
    const beyond = unit === "%" ? ({ "> ": precision, "< ": -precision }[sign] ?? 0) : 0;
    return {
      text,
      around,
      value:
        Number(`${whole.replaceAll(",", "")}${fraction}`) * scale * (sign === "-" || sign === "−" ? -1 : 1) + beyond,
      precision,
      estimated: sign.startsWith("≈") || /[≈±]/.test(text) || /[≈±]/.test(around),
      figure,
      unit,
    };
  });
  return joinDurations(parts);
}

/** "3 min 4 s" is one figure. */
function joinDurations(parts: readonly (ShownNumber & { readonly unit: string })[]): readonly ShownNumber[] {
  const joined: (ShownNumber & { readonly unit: string })[] = [];
  for (const part of parts) {
    const before = joined.at(-1);
    if (
      before !== undefined &&
      ((before.unit === "min" && part.unit === "s") || (before.unit === "h" && part.unit === "min"))
    ) {
      joined[joined.length - 1] = { ...part, value: before.value + part.value };
    } else joined.push(part);
  }
  return joined;
}
