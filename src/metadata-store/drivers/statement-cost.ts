/** So long a wait is the disk's, or a lock's: nobody else is answered meanwhile either. */
const WAIT_MS = 40;

/**
 * Measures what a statement costs those who wait for its thread, in milliseconds: its processor time, or the whole time
 * where that is long. On a busy machine a short statement is interrupted for longer than it takes.
 *
 * @returns called at the statement's end
 */
export function startCost(): () => number {
  const processor = process.threadCpuUsage();
  const start = performance.now();
  return () => {
    const tookMs = performance.now() - start;
    if (tookMs >= WAIT_MS) return tookMs;
    const { user, system } = process.threadCpuUsage(processor);
    return Math.min(tookMs, (user + system) / 1000);
  };
}
