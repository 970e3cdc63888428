/** Kinds of personal data that are told by their form and their check digits. */
export const PERSONAL_KINDS = ["cpf", "cnpj", "email", "phone", "card", "iban"] as const;
export type PersonalKind = (typeof PERSONAL_KINDS)[number];

/** A column whose values are of a kind of personal data. */
export interface PersonalColumn {
  readonly column: string;
  readonly kind: PersonalKind;
  /** Different values that were looked at, and those of the kind. */
  readonly values: number;
  readonly matching: number;
}

/** By chance one of a hundred numbers of eleven digits is a CPF, and one of ten of sixteen has a card's check digit. */
const LEAST_SHARE = 0.8;
const FEWEST_VALUES = 3;

const CHECKS: Readonly<Record<PersonalKind, (value: string) => boolean>> = {
  cpf: isCpf,
  cnpj: isCnpj,
  email: (value) => value.length <= 254 && /^[^\s@,;<>"]{1,64}@(?:[\p{L}\p{N}-]+\.)+\p{L}{2,}$/u.test(value),
  phone: isPhone,
  card: isCard,
  iban: isIban,
};

/**
 * What kind of personal data a column's values are: the one that most of them are, if nearly all are of it.
 *
 * @param values different values of the column, as text; at most some thousands are needed
 * @returns undefined for a column of something else, or with too few values to tell. Pure.
 */
export function findPersonalData(column: string, values: readonly string[]): PersonalColumn | undefined {
  const texts = [...new Set(values.map((value) => value.trim()).filter((value) => value !== ""))];
  if (texts.length < FEWEST_VALUES) return undefined;
  const found = PERSONAL_KINDS.map((kind) => ({
    column,
    kind,
    values: texts.length,
    matching: texts.filter((text) => CHECKS[kind](text)).length,
  }));
  const best = found.reduce((one, other) => (other.matching > one.matching ? other : one));
  return best.matching >= LEAST_SHARE * texts.length ? best : undefined;
}

/** Weighted sum modulo 11, as CPF and CNPJ have it: 0 where the rest is below 2. */
function checkDigit(values: readonly number[], weights: readonly number[]): number {
  const rest = values.reduce((sum, value, index) => sum + value * (weights[index] ?? 0), 0) % 11;
  return rest < 2 ? 0 : 11 - rest;
}

const CPF_WEIGHTS = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2];

function isCpf(text: string): boolean {
  if (!/^(?:\d{11}|\d{3}\.\d{3}\.\d{3}-\d{2})$/.test(text)) return false;
  const digits = [...text.replaceAll(/\D/g, "")].map(Number);
  if (digits.every((digit) => digit === digits[0])) return false;
  return (
    checkDigit(digits.slice(0, 9), CPF_WEIGHTS.slice(1)) === digits[9] &&
    checkDigit(digits.slice(0, 10), CPF_WEIGHTS) === digits[10]
  );
}

const CNPJ_WEIGHTS = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];

/** Also with letters, from July 2026 on: a character counts as its ASCII code less 48 (IN RFB 2229/2024). */
function isCnpj(text: string): boolean {
  if (!/^(?:[0-9A-Z]{12}\d{2}|[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}\/[0-9A-Z]{4}-\d{2})$/.test(text)) return false;
  const values = [...text.replaceAll(/[./-]/g, "")].map((character) => character.charCodeAt(0) - 48);
  if (values.every((value) => value === values[0])) return false;
  return (
    checkDigit(values.slice(0, 12), CNPJ_WEIGHTS.slice(1)) === values[12] &&
    checkDigit(values.slice(0, 13), CNPJ_WEIGHTS) === values[13]
  );
}

/** Area codes of Anatel. */
const AREAS = /^(?:1[1-9]|2[12478]|3[1-578]|4[1-9]|5[1345]|6[1-9]|7[134579]|8[1-9]|9[1-9])$/;

/** E.164 with its plus sign, or Brazilian as it is written: digits alone are as well something else. */
function isPhone(text: string): boolean {
  if (/^\+[1-9]\d{0,2}[ -]?(?:\(\d{1,4}\)[ -]?)?\d[\d -]{5,14}\d$/.test(text)) {
    const count = text.replaceAll(/\D/g, "").length;
    return count >= 8 && count <= 15;
  }
  const brazilian = /^\(?0?(\d{2})\)?[ -]?(?:9[ ]?\d{4}|[2-5]\d{3})[ -]\d{4}$/.exec(text);
  return brazilian !== null && AREAS.test(brazilian[1] ?? "");
}

/** ISO/IEC 7812: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Elo, Hipercard. */
const ISSUERS =
  /^(?:4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|3(?:0[0-5]|[689])|6011|64[4-9]|65|35(?:2[89]|[3-8])|62|636368|5067|4576|606282)/;

function isCard(text: string): boolean {
  if (!/^(?:\d{13,19}|\d{4}(?:[ -]\d{4}){3}|\d{4}[ -]\d{6}[ -]\d{4,5})$/.test(text)) return false;
  const digits = text.replaceAll(/\D/g, "");
  if (!ISSUERS.test(digits) || /^(\d)\1+$/.test(digits)) return false;
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 1 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

/** ISO 13616: the check digits make the number 1 modulo 97. */
function isIban(text: string): boolean {
  const plain = text.replaceAll(" ", "").toUpperCase();
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(plain)) return false;
  const turned = `${plain.slice(4)}${plain.slice(0, 4)}`;
  let rest = 0;
  for (const character of turned)
    for (const digit of String(Number.parseInt(character, 36))) rest = (rest * 10 + Number(digit)) % 97;
  return rest === 1;
}
