import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseReason } from "#pipeline";
import { en } from "../../web/messages/en.ts";
import { problemsEn } from "../../web/messages/problems-en.ts";
import { problemsPtBr, termsPtBr } from "../../web/messages/problems-pt-br.ts";
import { problemText } from "../../web/messages/problems.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Errors that only a command line, a start of the server or another program's call can bring about. */
const NOT_ON_PAGES =
  /^(CLI|CONFIG|SERVER_(PORT|LISTEN|ACCESS|POSTGRES|ROLE)|ACCESS_(USER|ROLE|TOKEN|GRANT|LAST)|DELIVERY_(HOOK|PUSH|WEBHOOK)|MODELS_(PACKAGE|WEBHOOK)|TRACKING|SERVING|METADATA|STORAGE|BACKUP|MONITORING|NOTEBOOKS_FORMAT|EXECUTORS|PIPELINE_DEBUG)/;

interface Defined {
  readonly facts: string;
  readonly text: string;
}

/** Every error that the program defines, with the facts it carries, as written in the modules. */
async function definedErrors(): Promise<ReadonlyMap<string, Defined>> {
  const errors = new Map<string, Defined>();
  for await (const file of glob("src/*/errors.ts", { cwd: ROOT })) {
    const source = await readFile(join(ROOT, file), "utf8");
    for (const [, facts = "", code = "", text = ""] of source.matchAll(
      /ErrorFactory<(.*?)> =\s*defineError\(\s*"([A-Z0-9_]+)",\s*\{(.*?)\n\s*\},?\s*\);/gs,
    ))
      errors.set(code, { facts, text });
  }
  return errors;
}

test("every error that is worded for the pages exists, and carries the facts of its wording", async () => {
  const errors = await definedErrors();
  assert.ok(errors.size > 100);
  for (const [code, texts] of [...Object.entries(problemsPtBr), ...Object.entries(problemsEn)]) {
    if (code === "SERVER_INTERNAL") continue;
    const defined = errors.get(code);
    assert.ok(defined !== undefined, `${code} is no error of the program`);
    for (const name of `${texts.message ?? ""} ${texts.hint ?? ""}`.matchAll(/\{(\w+)\}/g))
      assert.match(defined.facts, new RegExp(`\\b${name[1]}\\??:`), `${code}: ${name[1]}`);
  }
});

test("no hint on a page asks for a command line, in either language", async () => {
  for (const [code, { text }] of await definedErrors()) {
    if (NOT_ON_PAGES.test(code)) continue;
    const hint = /\n\s*hint: (.*?),\n\s*(?:solve|kind|status)/s.exec(text)?.[1] ?? "";
    if (/esteira (?!has|is|and|as |only|cannot)[a-z]+|--[a-z]+/.test(hint.replaceAll(/esteira\.\w+/g, "")))
      assert.ok(problemsEn[code]?.hint !== undefined, `${code} tells people on a page: ${hint}`);
  }
  for (const [code, { hint }] of [...Object.entries(problemsPtBr), ...Object.entries(problemsEn)])
    assert.doesNotMatch(hint ?? "", /\besteira [a-z]+ |--\w+/, code);
});

test("what pages are asked for most is worded in Portuguese", async () => {
  const missing = [...(await definedErrors()).keys()].filter(
    (code) => /^(PIPELINE|GOVERNANCE|DATA)_/.test(code) && !NOT_ON_PAGES.test(code) && problemsPtBr[code] === undefined,
  );
  // Faults of expressions, foreign tables and pinned logs are told by their place in a file, which no language changes.
  assert.ok(missing.length <= 12, missing.join(", "));
});

test("a wording without its facts gives way to the server's", () => {
  const catalogue = { texts: problemsPtBr, terms: termsPtBr };
  const server = {
    code: "SERVER_RESOURCE_MISSING",
    message: 'There is no dataset "x" in this project',
    hint: "Check the name.",
  };
  assert.equal(
    problemText(catalogue, { ...server, context: { kind: "dataset", key: "x" } }).message,
    "Não existe o dataset “x” neste projeto.",
  );
  assert.equal(problemText(catalogue, server).message, server.message);
  assert.equal(problemText(catalogue, { code: "UNHEARD_OF", message: "m" }).message, "m");
  // What people named is put in as it is, braces and all.
  assert.equal(
    problemText(catalogue, { ...server, context: { kind: "dataset", key: "{kind} $& \\" } }).message,
    "Não existe o dataset “{kind} $& \\” neste projeto.",
  );
});

test("the program's own reasons come as clauses that both languages word; others stay as they are", () => {
  const parts = (text: string): readonly string[] | undefined => parseReason(text)?.map(({ part }) => part);
  assert.deepEqual(parseReason("input airport_day (features): version 1 → 12; input flights: version none → 2"), [
    { part: "input", name: "airport_day (features)", before: "1", after: "12" },
    { part: "input", name: "flights", before: "none", after: "2" },
  ]);
  assert.deepEqual(parts('file sql/a.sql changed; param depth: 6 → 8; env MODE: "a" → "b"; and 2 more'), [
    "file",
    "param",
    "env",
    "more",
  ]);
  assert.deepEqual(parseReason("verify failed: The command ended; it said last: no rows"), [
    { part: "upstream_failed", name: "verify", after: "The command ended; it said last: no rows" },
  ]);
  assert.deepEqual(parts("verdict refused: roc_auc 0.5 < 0.6"), ["upstream_refused"]);
  assert.deepEqual(parts("declaration, files, inputs and params are as in step run 01J"), ["same"]);
  assert.equal(parseReason("notebooks/train.ipynb 1 wants to go to production"), undefined);
  const known = new Set(Object.keys(en).filter((key) => key.startsWith("why.")));
  for (const part of [
    "input",
    "file",
    "file_new",
    "file_gone",
    "param",
    "env",
    "more",
    "declaration",
    "same",
    "first_run",
    "superseded",
    "outside",
    "not_cacheable",
    "cache_off",
    "asked",
    "asked_from",
    "when_false",
    "cancelled",
    "engine_stopped",
    "engine_lost",
    "attempt_failed",
    "upstream_failed",
    "upstream_refused",
    "upstream_cancelled",
    "upstream_skipped",
    "declaration_changed",
  ])
    assert.ok(known.has(`why.${part}`), part);
});
