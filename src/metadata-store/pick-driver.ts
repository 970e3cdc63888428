/** Which database an address means. */
export type PickedDriver =
  | { readonly kind: "sqlite"; readonly file: string }
  | { readonly kind: "postgres"; readonly url: string; readonly schema?: string };

/** @param address absolute path of a SQLite file, or `postgres://…` (`?schema=name` picks the schema) */
export function pickDriver(address: string): PickedDriver {
  if (!/^postgres(ql)?:\/\//.test(address)) return { kind: "sqlite", file: address };
  const url = new URL(address);
  const schema = url.searchParams.get("schema");
  url.searchParams.delete("schema");
  return { kind: "postgres", url: url.href, ...(schema === null ? {} : { schema }) };
}
