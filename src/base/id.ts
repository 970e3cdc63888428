import { randomFillSync } from "node:crypto";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RANDOM_LENGTH = 16;

let lastTime = -1;
let lastRandom: number[] = [];

/**
 * A ULID: 26 characters that sort by the time they were made; within one process strictly increasing.
 *
 * @param nowMs milliseconds since the epoch
 */
export function newId(nowMs: number = Date.now()): string {
  if (nowMs > lastTime) {
    lastTime = nowMs;
    lastRandom = Array.from(randomFillSync(new Uint8Array(RANDOM_LENGTH)), (byte) => byte & 31);
  } else {
    increment(lastRandom);
  }
  return encodeTime(lastTime) + lastRandom.map((digit) => ALPHABET[digit]).join("");
}

function increment(digits: number[]): void {
  for (let index = digits.length - 1; index >= 0; index--) {
    const next = (digits[index] ?? 0) + 1;
    digits[index] = next % 32;
    if (next < 32) return;
  }
}

function encodeTime(timeMs: number): string {
  let rest = timeMs;
  let text = "";
  for (let index = 0; index < 10; index++) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** True for the form that {@link newId} makes. */
export function isId(text: string): boolean {
  return /^[0-9A-HJKMNP-TV-Z]{26}$/.test(text);
}
