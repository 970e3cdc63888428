import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chunkRanges, spreadOf } from "../../src/monitoring/statistics/chunks.ts";
import { classifyDomain } from "../../src/monitoring/statistics/domain-classifier.ts";
import { learnComponents } from "../../src/monitoring/statistics/principal-components.ts";
import { seededRandom } from "../../src/monitoring/statistics/seeded-random.ts";
import { classifyTexts } from "../../src/monitoring/statistics/text-classifier.ts";

/** Rows by a formula, so that the peer's are the same. */
function makeRows(count: number, k: number, seed: number): readonly ArrayLike<unknown>[] {
  const at = (of: (row: number) => number): Float64Array => Float64Array.from({ length: count }, (_, row) => of(row));
  const a = at((row) => ((row * 7919 + seed) % 1000) / 1000);
  const b = at((row) => (row % 50 === 3 ? NaN : (a[row] ?? 0) * 2 + (((row * 104_729 + seed) % 997) / 997) * 0.3 * k));
  const c = at((row) => ((row * 31 + seed * 7) % 101) / 101);
  const e = at((row) => (a[row] ?? 0) - (c[row] ?? 0) + ((row * 13) % 7) / 7);
  const names = Array.from(a, (_, row) => ["x", "y", "z"][((row * (k === 1 ? 1 : 3) + seed) % 5) % 3]);
  return [a, b, c, e, names];
}

describe("all columns together", () => {
  it("are reconstructed as NannyML 0.13.1 reconstructs them", () => {
    const [reference, current] = [makeRows(2000, 1, 0), makeRows(1000, 2, 5)];
    const model = learnComponents(reference);
    assert.ok(model !== undefined);
    assert.equal(model.kept, 2);
    const near = (found: number | undefined, expected: number): void =>
      assert.ok(Math.abs((found ?? NaN) - expected) < 1e-9, `${found} against ${expected}`);
    near(model.error(current), 0.9944636257425362);
    const usual = spreadOf(chunkRanges(2000).map(([start, end]) => model.error(reference, start, end)));
    near(usual?.mean, 0.951098484808076);
    near(usual?.deviation, 0.0032029882845464727);
    near((usual?.mean ?? NaN) + 3 * (usual?.deviation ?? NaN), 0.9607074496617154);
  });

  it("are told apart when only their relation changed, and not when nothing did", async () => {
    const random = seededRandom(6);
    const draw = (sign: number): readonly Float64Array[] => {
      const x = Float64Array.from({ length: 1500 }, () => random() - 0.5);
      return [x, x.map((value) => sign * value + (random() - 0.5) * 0.2)];
    };
    const reference = draw(1);
    const [alike, turned] = [await classifyDomain(reference, draw(1)), await classifyDomain(reference, draw(-1))];
    assert.ok(alike.area > 0.45 && alike.area < 0.55, String(alike.area));
    assert.ok(turned.area > 0.8, String(turned.area));
  });

  it("are nothing without rows", () => {
    assert.equal(learnComponents([]), undefined);
    assert.equal(learnComponents([[1]]), undefined);
    assert.equal(
      learnComponents([new Float64Array(10).fill(3), new Float64Array(10).fill(NaN)])?.error([[3], [NaN]]),
      0,
    );
  });
});

describe("texts", () => {
  const random = seededRandom(8);
  const write = (words: readonly string[]): string =>
    Array.from({ length: 8 }, () => words[Math.floor(random() * words.length)] ?? "").join(" ");
  const shop = "order parcel late refund box driver street door ring missing broken size colour".split(" ");
  const bank = "card account transfer blocked pin limit fee branch app login statement loan rate".split(" ");

  it("are told apart by their words", () => {
    const many = (words: readonly string[]): string[] => Array.from({ length: 300 }, () => write(words));
    assert.ok(classifyTexts(many(shop), many(bank)).area > 0.98);
    const alike = classifyTexts(many(shop), many(shop));
    assert.ok(alike.area < 0.58 && alike.pValue > 0.01, JSON.stringify(alike));
  });

  it("without words, or without any text, are alike", () => {
    assert.equal(classifyTexts(["", "!", "…"], ["", "?"]).area, 0.5);
    assert.equal(classifyTexts([], []).area, 0.5);
  });
});
