const BLOCK = 65_536;
const WORD = 32;

/** Many whole numbers that mostly follow each other: one bit each. */
export interface SequenceSet {
  add(sequence: number): void;
  has(sequence: number): boolean;
}

export function createSequenceSet(): SequenceSet {
  const blocks = new Map<number, Uint32Array>();
  const placeOf = (sequence: number): readonly [block: number, word: number, bit: number] => {
    const block = Math.floor(sequence / BLOCK);
    const place = sequence - block * BLOCK;
    return [block, Math.floor(place / WORD), place % WORD];
  };
  return {
    add(sequence) {
      const [block, word, bit] = placeOf(sequence);
      let words = blocks.get(block);
      if (words === undefined) blocks.set(block, (words = new Uint32Array(BLOCK / WORD)));
      words[word] = Number(words[word]) | (1 << bit);
    },
    has(sequence) {
      const [block, word, bit] = placeOf(sequence);
      return (Number(blocks.get(block)?.[word] ?? 0) & (1 << bit)) !== 0;
    },
  };
}
