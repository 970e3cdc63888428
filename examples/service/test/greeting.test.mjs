import assert from "node:assert/strict";
import { test } from "node:test";
import { greet } from "../src/greeting.mjs";

test("greets in the language asked for", () => {
  assert.match(greet("Ana"), /^\p{L}+, Ana!$/u);
  assert.equal(greet("Ana", "pt-BR"), "Olá, Ana!");
  assert.equal(greet("Ana", "xx"), greet("Ana", "en"));
});
