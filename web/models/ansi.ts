/** A stretch of text in one style. */
export interface AnsiSpan {
  readonly text: string;
  /** `ansi-red`, `ansi-bold`, … : classes of the style sheet. */
  readonly classes: readonly string[];
}

const COLORS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;
// eslint-disable-next-line no-control-regex -- the escape character is what is looked for
const SEQUENCE = /\u001b\[([0-9;]*)([A-Za-z])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[@-Z\\-_]/g;

interface Style {
  color: string | undefined;
  isBold: boolean;
  isDim: boolean;
  isItalic: boolean;
  isUnderlined: boolean;
}

const plain = (): Style => ({ color: undefined, isBold: false, isDim: false, isItalic: false, isUnderlined: false });

/** One line of terminal output as styled spans; sequences that are not about style are dropped (ECMA-48 SGR). */
export function ansiSpans(line: string): readonly AnsiSpan[] {
  if (!line.includes("\u001b")) return [{ text: line, classes: [] }];
  const spans: AnsiSpan[] = [];
  let style = plain();
  let from = 0;
  const push = (text: string): void => {
    if (text !== "") spans.push({ text, classes: classesOf(style) });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m") style = applyCodes(style, match[1] ?? "");
  }
  push(line.slice(from));
  return spans;
}

/** Text without any escape sequence. */
export function withoutAnsi(text: string): string {
  return text.replace(SEQUENCE, "");
}

/** What a terminal shows of a line in which a carriage return writes over what was there (progress bars). */
export function lastOverwrite(line: string): string {
  const parts = line.replace(/\r+$/, "").split("\r");
  return parts[parts.length - 1] ?? "";
}

function applyCodes(before: Style, text: string): Style {
  const style = { ...before };
  const codes = text === "" ? [0] : text.split(";").map(Number);
  for (let index = 0; index < codes.length; index++) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) index += codes[index + 1] === 5 ? 2 : 4;
    else applyCode(style, code);
  }
  return style;
}

function applyCode(style: Style, code: number): void {
  if (code === 0) Object.assign(style, plain());
  else if (code === 1) style.isBold = true;
  else if (code === 2) style.isDim = true;
  else if (code === 3) style.isItalic = true;
  else if (code === 4) style.isUnderlined = true;
  else if (code === 22) style.isBold = style.isDim = false;
  else if (code === 39) style.color = undefined;
  else if (code >= 30 && code <= 37) style.color = COLORS[code - 30];
  else if (code >= 90 && code <= 97) style.color = COLORS[code - 90];
}

function classesOf(style: Style): readonly string[] {
  const classes: string[] = [];
  if (style.color !== undefined) classes.push(`ansi-${style.color}`);
  if (style.isBold) classes.push("ansi-bold");
  if (style.isDim) classes.push("ansi-dim");
  if (style.isItalic) classes.push("ansi-italic");
  if (style.isUnderlined) classes.push("ansi-underline");
  return classes;
}
