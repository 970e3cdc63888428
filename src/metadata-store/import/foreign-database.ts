export type ForeignRow = Readonly<Record<string, unknown>>;

/** Somebody else's database, read only. Statements use `?` for parameters. */
export interface ForeignDatabase {
  readonly address: string;
  rows(text: string, parameters?: readonly unknown[]): Promise<readonly ForeignRow[]>;
  /** The rows of one statement in pieces of at most `size`. */
  stream(text: string, parameters: readonly unknown[], size: number): AsyncIterable<readonly ForeignRow[]>;
  hasTable(name: string): Promise<boolean>;
  close(): Promise<void>;
}

/** A number where it is exact, else the bigint. */
export function narrowInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

export function withoutPassword(url: string): string {
  return url.replace(/\/\/([^:/@]*):[^@]*@/, "//$1@");
}
