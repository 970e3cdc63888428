import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { en } from "../../web/messages/en.ts";
import { chooseLanguage, LANGUAGES, loadCatalogue, message } from "../../web/messages/messages.ts";
import { ptBR } from "../../web/messages/pt-BR.ts";
import { trialsEn } from "../../web/messages/trials-en.ts";
import { trialsPtBr } from "../../web/messages/trials-pt-br.ts";

const WEB = join(import.meta.dirname, "../../web");
const placeholders = (text: string): readonly string[] => [...new Set(text.match(/\{\w+\}/g))].sort();

test("both languages have every message", () => assert.deepEqual(Object.keys(ptBR).sort(), Object.keys(en).sort()));

test("a message takes the same parameters in both languages", () => {
  for (const [key, text] of Object.entries(en))
    assert.deepEqual(placeholders(ptBR[key as keyof typeof en]), placeholders(text), key);
});

test("no message is empty, and none was left in English by mistake", () => {
  for (const text of [...Object.values(en), ...Object.values(ptBR)]) assert.notEqual(text.trim(), "");
  const long = Object.entries(en).filter(
    ([key, text]) => text.split(" ").length > 4 && ptBR[key as keyof typeof en] === text,
  );
  assert.deepEqual(long, []);
});

test("every message is used", async () => {
  const sources = await Promise.all(
    (await readdir(WEB, { recursive: true }))
      .filter((file) => /^(pages|ui|routes|models)\/.*\.tsx?$/.test(file))
      .map((file) => readFile(join(WEB, file), "utf8")),
  );
  const code = sources.join("\n");
  // Families that the pages name by data: `state.${status}`, `count.${name}`, …
  const families = new Set(
    [...code.matchAll(/name\("(\w+)", /g)]
      .map((match) => match[1])
      .concat([...code.matchAll(/t\(`(\w+)\.\$\{/g)].map((match) => match[1])),
  );
  const unused = Object.keys(en).filter((key) => !code.includes(`"${key}"`) && !families.has(key.split(".")[0]));
  assert.deepEqual(
    unused.filter((key) => !key.startsWith("trigger.")),
    [],
  );
});

test("the number chooses the form and is written as the language writes it", async () => {
  const [english, portuguese] = await Promise.all(LANGUAGES.map(loadCatalogue));
  assert.ok(english !== undefined && portuguese !== undefined);
  assert.equal(message(english, "dataset.rowCount", { count: 1 }), "1 row");
  assert.equal(message(english, "dataset.rowCount", { count: 0 }), "0 rows");
  assert.equal(message(portuguese, "dataset.rowCount", { count: 0 }), "0 linha");
  assert.equal(message(portuguese, "dataset.rowCount", { count: 1_500_000 }), "1.500.000 linhas");
});

test("the first wish that is a language of the pages wins", () => {
  assert.equal(chooseLanguage(null, "pt-PT"), "pt-BR");
  assert.equal(chooseLanguage("pt-BR", "en-US"), "pt-BR");
  assert.equal(chooseLanguage(undefined, "fr-FR"), "en");
});

test("trials have every message in both languages, with the same parameters", () => {
  assert.deepEqual(Object.keys(trialsPtBr).sort(), Object.keys(trialsEn).sort());
  const placeholders = (text: string): readonly string[] => [...new Set(text.match(/\{\w+\}/g))].sort();
  for (const [key, text] of Object.entries(trialsEn))
    assert.deepEqual(placeholders(trialsPtBr[key as keyof typeof trialsEn]), placeholders(text), key);
});
