/** The attempt that a process is of: an attempt with several processes gives each a suffix behind a dot. */
export function attemptOf(processId: string): string {
  return processId.split(".")[0] ?? processId;
}
