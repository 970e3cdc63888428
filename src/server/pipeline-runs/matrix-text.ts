/** `node=22`: which of a matrix, or which item, a step run is; undefined for a step with neither. */
export function matrixText(matrix: Readonly<Record<string, unknown>> | undefined): string | undefined {
  if (matrix === undefined) return undefined;
  return Object.entries(matrix)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}
