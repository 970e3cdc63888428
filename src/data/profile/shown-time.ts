/** Microseconds as ISO 8601. */
export function shownTime(microseconds: bigint, type: string): string {
  const milliseconds = Number((microseconds - (((microseconds % 1000n) + 1000n) % 1000n)) / 1000n);
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return `${microseconds} µs`;
  const iso = date.toISOString();
  if (type === "DATE") return iso.slice(0, iso.indexOf("T"));
  const fraction = String(((microseconds % 1_000_000n) + 1_000_000n) % 1_000_000n)
    .padStart(6, "0")
    .replace(/0+$/, "");
  return `${iso.slice(0, iso.indexOf("."))}${fraction === "" ? "" : `.${fraction}`}${type.endsWith("WITH TIME ZONE") ? "Z" : ""}`;
}
