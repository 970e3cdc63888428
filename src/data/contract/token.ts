import { createCipheriv, createHmac } from "node:crypto";

/** What a token looks like; `number` stands in columns of whole numbers. */
export const TOKEN_FORMATS = ["text", "digits", "email"] as const;
export type TokenFormat = (typeof TOKEN_FORMATS)[number] | "number";

/** Fewer have too few tokens (NIST SP 800-38G Rev. 1: a million at least); more fill no block of the cipher. */
export const TOKEN_DIGITS = { least: 6, most: 30 } as const;
/** Whole numbers of at most so many digits: their tokens are exact in JSON, JavaScript and spreadsheets, too. */
const NUMBER_DIGITS = 15;
export const GREATEST_NUMBER: number = 10 ** NUMBER_DIGITS - 1;

/**
 * A function that gives each value its token: the same one always, and no two values the same one. Digits are permuted
 * (format-preserving encryption FF1), others are replaced by 128 bits of an HMAC-SHA256. Each format has a key of its
 * own, made of the secret.
 *
 * @param secret of 16 characters or more
 * @returns a function of a value as text: for `digits` one with {@link TOKEN_DIGITS}, for `number` one of at most
 *   {@link GREATEST_NUMBER}. Values that are none of these are refused before.
 */
export function createTokens(secret: string, format: TokenFormat): (value: string) => string {
  const key = createHmac("sha256", secret).update(`esteira/token/${format}`).digest();
  const brief = (value: string): string => createHmac("sha256", key).update(value).digest("hex").slice(0, 32);
  switch (format) {
    case "text":
      return (value) => `tok_${brief(value)}`;
    case "email":
      return (value) => `${brief(value)}@token.invalid`;
    case "digits": {
      const permute = createDigitPermutation(key);
      return (value) => {
        const digits = value.replaceAll(/[^0-9]/g, "");
        // What cannot be permuted is held back by its rule; it is looked at all the same.
        if (digits.length < TOKEN_DIGITS.least || digits.length > TOKEN_DIGITS.most) return "";
        const permuted = permute(digits);
        let next = 0;
        return value.replaceAll(/[0-9]/g, () => permuted[next++] ?? "");
      };
    }
    case "number": {
      const permute = createDigitPermutation(key);
      return (value) => (/^\d{1,15}$/.test(value) ? String(Number(permute(value.padStart(NUMBER_DIGITS, "0")))) : "");
    }
  }
}

const ROUNDS = 10;
const BLOCK = 16;

/**
 * FF1 of NIST SP 800-38G with radix 10 and no tweak, for {@link TOKEN_DIGITS}: a permutation of the texts of each
 * length.
 *
 * @param key of AES: 16, 24 or 32 bytes
 */
export function createDigitPermutation(key: Buffer): (digits: string) => string {
  const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
  const encrypt = (block: Buffer): Buffer => cipher.update(block);
  const firstBlocks = new Map<number, Buffer>();
  const firstBlockOf = (length: number): Buffer => {
    const known = firstBlocks.get(length);
    if (known !== undefined) return known;
    // P of step 5: version, method, rounds, radix 10, length of the left half, of the text, of the tweak.
    const block = Buffer.from([1, 2, 1, 0, 0, 10, ROUNDS, Math.floor(length / 2), 0, 0, 0, length, 0, 0, 0, 0]);
    const encrypted = encrypt(block);
    firstBlocks.set(length, encrypted);
    return encrypted;
  };
  return (digits) => {
    const half = Math.floor(digits.length / 2);
    const first = firstBlockOf(digits.length);
    // Bytes of a half (b), and of what is drawn for it (d).
    const bytes = Math.ceil(Math.ceil((digits.length - half) * Math.log2(10)) / 8);
    const drawn = 4 * Math.ceil(bytes / 4) + 4;
    let left = BigInt(digits.slice(0, half));
    let right = BigInt(digits.slice(half));
    for (let round = 0; round < ROUNDS; round++) {
      const block = Buffer.alloc(BLOCK);
      block[BLOCK - bytes - 1] = round;
      block.write(right.toString(16).padStart(bytes * 2, "0"), BLOCK - bytes, "hex");
      for (let index = 0; index < BLOCK; index++) block[index] = (block[index] ?? 0) ^ (first[index] ?? 0);
      const random = BigInt(`0x${encrypt(block).toString("hex", 0, drawn)}`);
      const modulus = 10n ** BigInt(round % 2 === 0 ? half : digits.length - half);
      [left, right] = [right, (left + random) % modulus];
    }
    return `${left.toString().padStart(half, "0")}${right.toString().padStart(digits.length - half, "0")}`;
  };
}
