/** `1 row`, `2 rows`, `0 columns`: a count with its English noun. */
export function formatQuantity(count: number, one: string, many: string = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
