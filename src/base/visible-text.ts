/** Control characters but tabs and new lines, and characters that are not seen or turn the direction of a line. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const DECEIVING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** A text as it can be judged by eye: what a terminal or an editor would act on is written as `\u001b`. */
export function visibleText(text: string): string {
  return text.replaceAll(DECEIVING, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
