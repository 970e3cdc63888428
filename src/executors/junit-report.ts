/** What a JUnit report says, in numbers and the names of what failed. */
export interface TestReport {
  readonly tests: number;
  readonly failed: number;
  readonly skipped: number;
  /** Names of failed test cases with their message; at most 50. */
  readonly failures: readonly FailedTest[];
  /** Those of tests that may fail; none of them counts as failed. All of them. */
  readonly excused: readonly FailedTest[];
}

export interface FailedTest {
  readonly name: string;
  readonly message: string;
}

const MOST_FAILURES = 50;
const CASE = /<testcase\b([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g;

/** Reads JUnit XML by its test cases: the totals in its head are counted differently by every tool. */
export function parseJunitReport(xml: string, mayFail: (name: string) => boolean = () => false): TestReport {
  let tests = 0;
  let failed = 0;
  let skipped = 0;
  const failures: FailedTest[] = [];
  const excused: FailedTest[] = [];
  for (const [, attributes = "", , body = ""] of xml.matchAll(CASE)) {
    tests++;
    if (/<skipped\b/.test(body)) skipped++;
    const failure = /<(?:failure|error)\b([^>]*)>/.exec(body);
    if (failure === null) continue;
    const suite = attribute(attributes, "classname");
    const own = attribute(attributes, "name");
    const name = suite === "" ? own : `${suite} › ${own}`;
    const test = { name, message: attribute(failure[1] ?? "", "message").slice(0, 500) };
    if (mayFail(name)) {
      excused.push(test);
      continue;
    }
    failed++;
    if (failures.length < MOST_FAILURES) failures.push(test);
  }
  return { tests, failed, skipped, failures, excused };
}

function attribute(attributes: string, name: string): string {
  const found =
    new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ??
    new RegExp(`\\b${name}='([^']*)'`).exec(attributes)?.[1] ??
    "";
  return unescape(found);
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replaceAll(/&(#x?[0-9a-f]+|\w+);/gi, (whole, entity: string) => {
    if (!entity.startsWith("#")) return ENTITIES[entity] ?? whole;
    const code = entity[1]?.toLowerCase() === "x" ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1));
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
