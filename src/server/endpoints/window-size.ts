/** The window size that an endpoint is shown by: that of its first monitor. */
export function windowSize(declarations: readonly object[]): string {
  return (
    declarations.map((declaration) => (declaration as { window?: string }).window).find((size) => size !== undefined) ??
    "week"
  );
}
