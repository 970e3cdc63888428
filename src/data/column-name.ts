// oxlint-disable-next-line no-control-regex -- control characters are what is replaced
const UNWANTED = /[\s\u0000-\u001f\u007f"'`,;{}()=]+/g;

/**
 * The name under which a dataset has a column: runs of what Delta tables or SQL tools do not take in a name (white
 * space, control characters, quotes, `, ; { } ( ) =`) are one `_`, and letters of any script stay. A column without a
 * name is called by its position.
 *
 * @param index position among the columns, from 0
 */
export function normaliseColumnName(name: string, index: number): string {
  const plain = name.normalize("NFC").trim().replaceAll(UNWANTED, "_");
  const trimmed = plain.length > 1 && plain !== name ? plain.replace(/^_+(?=[^_])|(?<=[^_])_+$/g, "") : plain;
  return /^_*$/.test(trimmed) ? `column_${index + 1}` : trimmed;
}
