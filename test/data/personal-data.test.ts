import assert from "node:assert/strict";
import { it } from "node:test";
import { findPersonalData } from "#data";

const kindOf = (values: readonly string[]): string | undefined => findPersonalData("c", values)?.kind;

it("personal data are told by their form and check digits", () => {
  // Published as examples: Receita Federal (CNPJ with letters), the registry of ISO 13616, test numbers of cards.
  assert.equal(kindOf(["529.982.247-25", "11144477735", "123.456.789-09"]), "cpf");
  assert.equal(kindOf(["12.ABC.345/01DE-35", "11222333000181", "00.000.000/0001-91"]), "cnpj");
  assert.equal(kindOf(["a@b.co", "josé.silva@exemplo.com.br", "x+y@sub.example.org"]), "email");
  assert.equal(kindOf(["+5511987654321", "(11) 98765-4321", "+1 415 555 2671", "21 2345-6789"]), "phone");
  assert.equal(kindOf(["4111 1111 1111 1111", "5555555555554444", "378282246310005"]), "card");
  assert.equal(
    kindOf(["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "BR1800360305000010009795493C1"]),
    "iban",
  );
});

it("other numbers and texts are no personal data", () => {
  const count = (make: (index: number) => string): readonly string[] =>
    Array.from({ length: 2000 }, (_, index) => make(index));
  assert.equal(kindOf(count((index) => String(10_000_000_000 + index * 7919))), undefined, "ids of 11 digits");
  assert.equal(kindOf(count((index) => String(4_000_000_000_000_000 + index * 7919))), undefined, "ids of 16 digits");
  assert.equal(kindOf(count((index) => String(20_000_000_000_000 + index * 104_729))), undefined, "ids of 14 digits");
  assert.equal(kindOf(count((index) => String(11_900_000_000 + index))), undefined, "digits that may be phones");
  assert.equal(kindOf(count((index) => `2026-01-${String((index % 28) + 1).padStart(2, "0")}`)), undefined);
  assert.equal(kindOf(count((index) => `192.168.0.${index}`)), undefined);
  assert.equal(kindOf(count((index) => `text ${index} of a@b.co`)), undefined);
  assert.equal(kindOf(["111.111.111-11", "00000000000", "222.222.222-22"]), undefined, "all digits the same");
  assert.equal(kindOf(["529.982.247-24", "111.444.777-36", "123.456.789-00"]), undefined, "wrong check digits");
  assert.equal(kindOf(["", " ", "a@b.co"]), undefined, "too few to tell");
});
