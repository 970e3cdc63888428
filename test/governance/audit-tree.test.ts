// The hashes of the log are those of RFC 6962, and its notes those of C2SP: published vectors.
import assert from "node:assert/strict";
import { it } from "node:test";
import {
  checkSignature,
  createKeyText,
  parseCheckpoint,
  readKey,
  signCheckpoint,
} from "../../src/governance/audit/checkpoint.ts";
import { parseCheckpoints } from "../../src/governance/audit/checkpoint-file.ts";
import { EMPTY_ROOT, GrowingTree, hashLeaf, rootOf } from "../../src/governance/audit/merkle-tree.ts";

const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: Readonly<Record<number, string>> = {
  1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

it("computes the roots of the test vectors of certificate transparency", () => {
  const tree = new GrowingTree();
  assert.equal(EMPTY_ROOT.toString("hex"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert.deepEqual(tree.root(), EMPTY_ROOT);
  const leaves = LEAVES.map((hex) => hashLeaf(Buffer.from(hex, "hex")));
  for (const leaf of leaves) {
    tree.add(leaf);
    const expected = ROOTS[tree.size];
    const whole = rootOf(Buffer.concat(leaves.slice(0, tree.size)));
    assert.deepEqual(tree.root(), whole);
    if (expected !== undefined) assert.equal(whole.toString("hex"), expected);
  }
});

it("verifies the example of the signed-note specification", () => {
  const key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
  assert.equal(checkSignature("x\n\n— y z\n", key), "unsigned");
  assert.equal(checkSignature("x\n\n— y z\n", key.replace("530d903a", "530d903b")), "key-invalid");
});

it("signs notes that its verifier key accepts, and no other text or key", () => {
  const key = readKey(createKeyText(), "esteira/shop");
  const { note } = signCheckpoint(key, { size: 3, root: hashLeaf("x") });
  assert.equal(checkSignature(note, key.verifierKey), "signed");
  assert.equal(checkSignature(note.replace("\n3\n", "\n4\n"), key.verifierKey), "forged");
  assert.equal(checkSignature(note, readKey(createKeyText(), "esteira/shop").verifierKey), "unsigned");
  assert.equal(parseCheckpoint(note)?.size, 3);
});

it("reads what stands in a file of checkpoints, over what a crash left, and names what is none", () => {
  const key = readKey(createKeyText(), "esteira/shop");
  const [one, two] = [1, 2].map((size) => signCheckpoint(key, { size, root: hashLeaf(String(size)) }).note);
  const sizes = (text: string): readonly number[] => parseCheckpoints(text).checkpoints.map(({ size }) => size);
  assert.deepEqual(sizes(`${one}\n${two}\n`), [1, 2]);
  assert.deepEqual(sizes(`${one}`), [1]);
  for (const length of [1, 15, 20, 40, 61, 70, 100]) {
    const torn = `${one}\n${two?.slice(0, length)}\n\n${two}\n`;
    assert.deepEqual(
      parseCheckpoints(torn),
      { checkpoints: parseCheckpoints(`${one}\n${two}\n`).checkpoints, unreadable: [] },
      String(length),
    );
  }
  assert.deepEqual(parseCheckpoints(`${one}\nhello\n\n${two}\n`).unreadable, [7]);
});
