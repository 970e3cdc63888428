import assert from "node:assert/strict";
import { it } from "node:test";
import { createDigitPermutation, createTokens } from "../../src/data/contract/token.ts";

it("permutes digits as the samples of NIST SP 800-38G do", () => {
  // FF1 samples 1, 4 and 7: AES-128, AES-192 and AES-256, radix 10, no tweak.
  for (const [key, expected] of [
    ["2B7E151628AED2A6ABF7158809CF4F3C", "2433477484"],
    ["2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F", "2830668132"],
    ["2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94", "6657667009"],
  ] as const)
    assert.equal(createDigitPermutation(Buffer.from(key, "hex"))("0123456789"), expected);
});

it("gives no two values one token, and keeps what the digits stand between", () => {
  const digits = createTokens("a secret of some length", "digits");
  const tokens = new Set(Array.from({ length: 20_000 }, (_, index) => digits(String(index).padStart(6, "0"))));
  assert.equal(tokens.size, 20_000);
  assert.match(digits("529.982.247-25"), /^\d{3}\.\d{3}\.\d{3}-\d{2}$/);
  assert.equal(digits("529.982.247-25").replaceAll(/\D/g, ""), digits("52998224725"));
  assert.equal(digits("9".repeat(30)).length, 30);
  const numbers = createTokens("a secret of some length", "number");
  assert.ok(Number.isSafeInteger(Number(numbers("0"))));
  assert.notEqual(numbers("0"), numbers("1"));
  assert.notEqual(digits("123456"), createTokens("another secret of length", "digits")("123456"));
});
