import { type ReactNode, useEffect, useState } from "react";
import { shortDigest } from "../models/format.ts";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { useNow } from "./now.ts";

/** Beyond this a date says more than a distance. */
const LONG_AGO_MS = 300 * 24 * 3_600_000;

/** A moment: how long ago, with the exact time on hover and for machines. */
export function Ago({ atMs }: { readonly atMs: number | undefined }) {
  const { format } = useLanguage();
  const nowMs = useNow(10_000);
  if (atMs === undefined) return <span className="muted">–</span>;
  return (
    <time dateTime={new Date(atMs).toISOString()} title={format.dateTime(atMs)}>
      {nowMs - atMs > LONG_AGO_MS ? format.date(atMs) : format.relative(Math.min(atMs, nowMs), nowMs)}
    </time>
  );
}

/** A moment within the data, which may lie years away from the clock. */
export function DataTime({ atMs }: { readonly atMs: number | undefined }) {
  const { t, format } = useLanguage();
  if (atMs === undefined) return <span className="muted">–</span>;
  return (
    <time dateTime={new Date(atMs).toISOString()} title={format.dateTime(atMs)}>
      {t("time.data", { time: format.date(atMs) })}
    </time>
  );
}

/** From start to end, still counting when there is no end. */
export function Duration({
  startMs,
  endMs,
}: {
  readonly startMs: number | undefined;
  readonly endMs?: number | undefined;
}) {
  if (startMs === undefined) return <span className="muted">–</span>;
  return endMs === undefined ? <RunningDuration startMs={startMs} /> : <FixedDuration durationMs={endMs - startMs} />;
}

/** How long a pipeline run took, or takes so far; of one whose engine is gone nobody knows. */
export function RunDuration({
  run,
}: {
  readonly run: {
    readonly startedAtMs?: number | undefined;
    readonly endedAtMs?: number | undefined;
    readonly isAbandoned?: boolean | undefined;
  };
}) {
  return <Duration startMs={run.isAbandoned === true ? undefined : run.startedAtMs} endMs={run.endedAtMs} />;
}

function FixedDuration({ durationMs }: { readonly durationMs: number }) {
  const { format } = useLanguage();
  return <span className="figure">{format.duration(Math.max(0, durationMs))}</span>;
}

function RunningDuration({ startMs }: { readonly startMs: number }) {
  return <FixedDuration durationMs={useNow() - startMs} />;
}

const COPIED_MS = 1600;

/** Copies a text; the button says what happened. */
export function Copy({ text, label }: { readonly text: string; readonly label?: string }) {
  const { t } = useLanguage();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const name = isCopied ? t("copy.done") : (label ?? t("copy.action"));
  return (
    <button
      type="button"
      className="copy"
      onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
      aria-label={name}
      title={name}
    >
      <Icon name={isCopied ? "check" : "copy"} size={13} />
    </button>
  );
}

/** A digest, short, with the whole of it on hover and to copy. */
export function Digest({ digest, length = 10 }: { readonly digest: string; readonly length?: number }) {
  const { t } = useLanguage();
  return (
    <span className="digest">
      <code title={digest}>{shortDigest(digest, length)}</code>
      <Copy text={digest} label={t("copy.digest")} />
    </span>
  );
}

/** A command to type, ready to copy. */
export function Command({ text }: { readonly text: string }) {
  return (
    <span className="command">
      <span className="command-prompt" aria-hidden="true">
        $
      </span>
      <code>{text}</code>
      <Copy text={text} />
    </span>
  );
}

/** Names and values, two columns. */
export function Facts({
  items,
  columns = 1,
}: {
  readonly items: readonly (readonly [string, ReactNode])[];
  readonly columns?: 1 | 2 | 3;
}) {
  return (
    <dl className={`facts facts-${columns}`}>
      {items.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

interface Figured {
  /** What the figure is, whatever the language: `dataset.rows`. */
  readonly name?: string;
  /** The figure before it was rounded and worded. */
  readonly value?: number | string | undefined;
}

/** How a figure is found on a page by those who recompute it. */
function hooks({ name, value }: Figured): {
  readonly "data-figure"?: string;
  readonly "data-value"?: number | string | undefined;
} {
  return name === undefined ? {} : { "data-figure": name, "data-value": value };
}

/** A figure within a text. */
export function Amount({
  children,
  className,
  ...figured
}: Figured & { readonly children: ReactNode; readonly className?: string }) {
  return (
    <span {...(className === undefined ? {} : { className })} {...hooks(figured)}>
      {children}
    </span>
  );
}

/** One figure with what it counts. */
export function Figure({
  label,
  children,
  tone,
  ...figured
}: Figured & { readonly label: string; readonly children: ReactNode; readonly tone?: string }) {
  return (
    <div className={`figure-box${tone === undefined ? "" : ` tone-${tone}`}`}>
      <div className="figure-value" {...hooks(figured)}>
        {children}
      </div>
      <div className="figure-label">{label}</div>
    </div>
  );
}
