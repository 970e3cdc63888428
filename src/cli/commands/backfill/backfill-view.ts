import type { BackfillSummary } from "#api";
import { formatCount, formatDuration } from "../../format.ts";
import type { CliSession } from "../../session.ts";
import type { CommandContext } from "../../command.ts";

/** One line: how far a backfill is. */
export function lineOf({ status, pending, running, succeeded, failed, cancelled }: BackfillSummary): string {
  const total = pending + running + succeeded + failed + cancelled;
  const parts = [
    `${formatCount(succeeded)} of ${formatCount(total)} made`,
    ...(running > 0 ? [`${running} at work`] : []),
    ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
    ...(cancelled > 0 ? [`${formatCount(cancelled)} cancelled`] : []),
  ];
  return `${status}: ${parts.join(", ")}`;
}

/** Works on a backfill until it ends or is paused, and gives its exit code. */
export async function watchBackfill(
  { platform, call }: CliSession,
  { terminal, signal }: CommandContext,
  { id, asJson }: { readonly id: string; readonly asJson: boolean },
): Promise<number> {
  const began = Date.now();
  // What goes wrong with it is told when the platform is closed.
  const interrupt = (): void => void platform.engine.stop({ interrupt: true }).catch(() => {});
  signal.addEventListener("abort", interrupt, { once: true });
  if (signal.aborted) interrupt();
  await platform.engine.backfills.toEnd(id, ({ backfill, counts }) => {
    if (!asJson && terminal.isInteractive)
      terminal.draw([lineOf({ ...backfill, endedAtMs: backfill.finishedAtMs, ...counts })]);
  });
  const backfill = await call("getBackfill", { params: { id } });
  if (asJson) terminal.printJson(backfill);
  else {
    if (terminal.isInteractive) terminal.draw([]);
    terminal.endDrawing();
    terminal.print(`${lineOf(backfill)}, in ${formatDuration(Date.now() - began)}`);
    if (backfill.failed > 0)
      terminal.note(`Which, and again: esteira backfill show ${id}, esteira backfill retry ${id}`);
    if (backfill.status === "running" || backfill.status === "paused")
      terminal.note(`Go on with: esteira backfill resume ${id}`);
  }
  if (backfill.status === "succeeded") return 0;
  return signal.aborted ? 130 : backfill.status === "running" ? 3 : 1;
}
