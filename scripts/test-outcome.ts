// A reporter of the test runner for scripts/test.ts: one line of JSON for each file with a failing test, and one with
// the counts of all.
import type { TestEvent } from "node:test/reporters";

/** What a run of the tests leaves: the files in which a test failed, and how many there were of what. */
export interface TestOutcome {
  readonly failedFiles: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

export default async function* outcome(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type === "test:fail") yield line({ failed: entryOf(event.data) });
    else if (event.type === "test:summary" && event.data.file === undefined) yield line({ counts: event.data.counts });
  }
}

/** A test stands in the file that was started, also where a helper of it calls `test`. */
function entryOf(data: { readonly file?: string; readonly entryFile?: string }): string | undefined {
  return data.entryFile ?? data.file;
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

export function readOutcome(text: string): TestOutcome {
  const failedFiles = new Set<string>();
  let counts: Record<string, number> = {};
  for (const each of text.split("\n").filter((found) => found !== "")) {
    const value: { failed?: string; counts?: Record<string, number> } = JSON.parse(each);
    if (value.failed !== undefined) failedFiles.add(value.failed);
    if (value.counts !== undefined) counts = value.counts;
  }
  return { failedFiles: [...failedFiles].sort(), counts };
}
