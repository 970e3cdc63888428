/** ECMAScript 2026; the library's types do not know it yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => object };

/** What `JSON.stringify` writes as the text given, which is JSON itself: whole numbers beyond 2^53, exactly. */
export function rawJson(text: string): object {
  return rawJSON(text);
}
