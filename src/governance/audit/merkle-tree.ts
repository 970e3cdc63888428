import { hash } from "node:crypto";
import { HASH_BYTES } from "#metadata-store/audit";

const NODE_PREFIX = Buffer.from([1]);
const LEAF_PREFIX = "\0";

/** Root of the tree without leaves. */
export const EMPTY_ROOT: Buffer = sha256(Buffer.alloc(0));

/** Hash of a leaf: SHA-256(0x00 ‖ entry). Source: RFC 6962 §2.1. */
export function hashLeaf(entry: string | Buffer): Buffer {
  return sha256(typeof entry === "string" ? LEAF_PREFIX + entry : Buffer.concat([Buffer.from([0]), entry]));
}

/** Hash of an inner node: SHA-256(0x01 ‖ left ‖ right). Source: RFC 6962 §2.1. */
export function hashNode(left: Buffer, right: Buffer): Buffer {
  return sha256(Buffer.concat([NODE_PREFIX, left, right]));
}

/** Hash `index` of concatenated hashes. */
export function hashAt(hashes: Buffer, index: number): Buffer {
  return hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
}

/**
 * Root over hashes of perfect subtrees of one height: split at the largest power of two below their number.
 *
 * @param hashes at least one, 32 bytes each
 */
export function rootOf(hashes: Buffer, from = 0, to: number = hashes.length / HASH_BYTES): Buffer {
  if (to - from === 1) return hashAt(hashes, from);
  const middle = from + largestPowerBelow(to - from);
  return hashNode(rootOf(hashes, from, middle), rootOf(hashes, middle, to));
}

/** Largest power of two that is smaller than `count`, which is at least 2. */
export function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

/** A tree that grows leaf by leaf: only its perfect subtrees are kept, so that its root is known at every size. */
export class GrowingTree {
  /** Roots of perfect subtrees, of falling size from left to right. */
  readonly #subtrees: { readonly leaves: number; readonly root: Buffer }[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Roots of its perfect subtrees, largest first: with them somebody else goes on from here. */
  get subtrees(): readonly Buffer[] {
    return this.#subtrees.map(({ root }) => root);
  }

  /** @param leaf hash of a leaf, or of a perfect subtree of as many leaves as the last one kept allows */
  add(leaf: Buffer, leaves = 1): void {
    let added = { leaves, root: leaf };
    for (let last = this.#subtrees.at(-1); last?.leaves === added.leaves; last = this.#subtrees.at(-1)) {
      this.#subtrees.pop();
      added = { leaves: last.leaves * 2, root: hashNode(last.root, added.root) };
    }
    this.#subtrees.push(added);
    this.#size += leaves;
  }

  root(): Buffer {
    return this.#subtrees.map(({ root }) => root).reduceRight<Buffer | undefined>(joinRight, undefined) ?? EMPTY_ROOT;
  }
}

function joinRight(right: Buffer | undefined, left: Buffer): Buffer {
  return right === undefined ? left : hashNode(left, right);
}

/**
 * Root that a leaf and its path lead to; undefined when the path does not have the length that belongs to the place.
 * Source: RFC 9162 §2.1.3.2.
 *
 * @param place `index` of the leaf from 0, `size` of the tree
 */
export function rootOfPath(
  leaf: Buffer,
  path: readonly Buffer[],
  { index, size }: { readonly index: number; readonly size: number },
): Buffer | undefined {
  if (index < 0 || index >= size) return undefined;
  let [node, last, root] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (node % 2 === 1 || node === last) {
      root = hashNode(sibling, root);
      while (node % 2 === 0 && node !== 0) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
    } else root = hashNode(root, sibling);
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 ? root : undefined;
}

function sha256(data: string | Buffer): Buffer {
  return hash("sha256", data, "buffer");
}
