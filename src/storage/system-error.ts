/** Code of an error of the system, such as `ENOENT`; empty for any other. */
export function systemCodeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
