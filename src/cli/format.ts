import type { PipelineRunStatus, StepRunStatus } from "#api";
import type { Terminal } from "./terminal.ts";

const STATUS_STYLES = {
  pending: ["dim", "·"],
  queued: ["dim", "○"],
  running: ["cyan", "▶"],
  waiting: ["yellow", "⏸"],
  succeeded: ["green", "✔"],
  failed: ["red", "✖"],
  skipped: ["dim", "↷"],
  cancelled: ["yellow", "■"],
  interrupted: ["yellow", "■"],
} as const;

/** A status with its sign, coloured. */
export function formatStatus(
  terminal: Terminal,
  status: PipelineRunStatus | StepRunStatus,
  label: string = status,
): string {
  const [style, sign] = STATUS_STYLES[status];
  return terminal.style(style, `${sign} ${label}`);
}

/** `850 ms`, `3.2 s`, `2 min 5 s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 60_000) return `${(durationMs / 1000).toFixed(1)} s`;
  return `${Math.floor(durationMs / 60_000)} min ${Math.round((durationMs % 60_000) / 1000)} s`;
}

/** `2026-11-23 17:40:05`, in the user's own time zone. */
export function formatTime(atMs: number): string {
  const date = new Date(atMs - new Date(atMs).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19).replace("T", " ");
}

/** `3,000,000` */
export function formatCount(count: number): string {
  // Whole numbers not by Intl, which takes 17 ms to load its data.
  if (!Number.isSafeInteger(count)) return count.toLocaleString("en-US");
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `850 B`, `3.2 MiB`. */
export function formatSize(sizeBytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
  const power = sizeBytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(sizeBytes) / 10));
  return power === 0 ? `${sizeBytes} B` : `${(sizeBytes / 1024 ** power).toFixed(1)} ${units[power] ?? "B"}`;
}

/** `sha256:0123456789ab…` */
export function formatDigest(digest: string): string {
  return digest.length > 22 ? `${digest.slice(0, 19)}…` : digest;
}
