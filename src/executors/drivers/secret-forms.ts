/**
 * A secret as it may appear in text: itself, its lines, and what is made of it with one common command. Longest first.
 *
 * Base64 depends on how many bytes stand before the secret: of each of the three alignments, the characters are taken
 * that hold nothing but the secret.
 */
export function formsOfSecret(secret: string): readonly string[] {
  const forms = new Set<string>();
  for (const text of new Set([secret, ...secret.split("\n")])) {
    if (text.length < 4) continue;
    const bytes = Buffer.from(text, "utf8");
    forms.add(text).add(Array.from(text).toReversed().join(""));
    forms.add(bytes.toString("hex")).add(bytes.toString("hex").toUpperCase());
    forms.add(encodeURIComponent(text)).add(encodeURIComponent(text).replaceAll("%20", "+"));
    forms.add(JSON.stringify(text).slice(1, -1));
    for (const offset of [0, 1, 2]) {
      const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
      // A character holds 6 bits: from the first without a bit of what is before, to the last without one of the rest.
      const whole = padded.toString("base64").slice(Math.ceil((offset * 8) / 6), Math.floor((padded.length * 8) / 6));
      forms.add(whole).add(whole.replaceAll("+", "-").replaceAll("/", "_"));
    }
  }
  return [...forms].filter((form) => form.length >= 4).sort((left, right) => right.length - left.length);
}
