import { createHash } from "node:crypto";

/** Writes lines of a known content, about `megabytes` of them. */
export const LOG_WRITER: string = `const { once } = require("node:events");
(async () => {
  for (let index = 0, left = Number(process.argv[2]) * 1e6; left > 0; index++) {
    const line = "line " + index + " " + "ação ✓ 😀 ".repeat(index % 40) + "\\n";
    left -= Buffer.byteLength(line);
    if (!process.stdout.write(line)) await once(process.stdout, "drain");
  }
})();
`;

/** Size and digest of what it writes. */
export function expectedLog(megabytes: number): { readonly bytes: number; readonly digest: string } {
  const hash = createHash("sha256");
  let bytes = 0;
  for (let index = 0, left = megabytes * 1e6; left > 0; index++) {
    const line = Buffer.from(`line ${index} ${"ação ✓ 😀 ".repeat(index % 40)}\n`);
    left -= line.length;
    bytes += line.length;
    hash.update(line);
  }
  return { bytes, digest: hash.digest("hex") };
}
