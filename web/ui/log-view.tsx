import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef, useState } from "react";
import { apiRoutes, type LogChunk, toAddress } from "#api";
import { ansiSpans, withoutAnsi } from "../models/ansi.ts";
import { firstError, type LogLine, toLogLines } from "../models/log-lines.ts";
import { call } from "../services/api.ts";
import { followStream } from "../services/event-stream.ts";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { Problem, Waiting } from "./page.tsx";
import "./log.css";
import { Copy } from "./text.tsx";

const LINE_HEIGHT = 20;
/** Arriving chunks are shown together, this often. */
const GATHER_MS = 120;

/** The log of a step run: what there is, then what comes; it follows the end until someone scrolls up. */
export function LogView({ stepRunId, isLive }: { readonly stepRunId: string; readonly isLive: boolean }) {
  const { t, format } = useLanguage();
  const { chunks, error, isPending } = useLog(stepRunId, isLive);
  const [filter, setFilter] = useState("");
  const frame = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => toLogLines(chunks), [chunks]);
  const shown = useMemo(
    () =>
      filter === ""
        ? lines
        : lines.filter(({ text }) => withoutAnsi(text).toLowerCase().includes(filter.toLowerCase())),
    [lines, filter],
  );
  if (error !== undefined) return <Problem error={error} />;
  if (isPending) return <Waiting lines={3} />;
  return (
    <div className="log" ref={frame}>
      <div className="log-tools">
        <input
          className="field"
          type="search"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
          placeholder={t("log.filter")}
          aria-label={t("log.filter")}
        />
        <span className="muted">
          {t("log.lines", { count: shown.length })}
          {isLive && ` · ${t("log.following")}`}
        </span>
        <button
          type="button"
          className="plain-button log-button"
          onClick={() => download(`${stepRunId}.log`, lines)}
          disabled={lines.length === 0}
        >
          {t("log.download")}
        </button>
        <button type="button" className="plain-button log-button" onClick={() => void toggleFullScreen(frame.current)}>
          {t("log.fullScreen")}
        </button>
        <Copy text={lines.map(({ text }) => withoutAnsi(text)).join("\n")} label={t("log.copy")} />
      </div>
      {lines.length === 0 ? (
        <p className="log-empty">{isLive ? t("log.waiting") : t("log.empty")}</p>
      ) : (
        <Lines lines={shown} timeOf={format.time} isLive={isLive} />
      )}
    </div>
  );
}

function Lines({
  lines,
  timeOf,
  isLive,
}: {
  readonly lines: readonly LogLine[];
  readonly isLive: boolean;
  readonly timeOf: (atMs: number) => string;
}) {
  const { t } = useLanguage();
  const box = useRef<HTMLDivElement>(null);
  const error = useMemo(() => firstError(lines), [lines]);
  // What is over opens at what went wrong; what goes on is followed.
  const [isFollowing, setFollowing] = useState(isLive || error === undefined);
  const [marked, setMarked] = useState(isLive ? undefined : error);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_HEIGHT,
    overscan: 30,
  });
  useEffect(() => {
    if (isFollowing && lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [isFollowing, lines.length, virtual]);
  useEffect(() => {
    if (marked !== undefined) virtual.scrollToIndex(marked, { align: "center" });
  }, [marked, virtual]);
  const onScroll = (): void => {
    const element = box.current;
    if (element !== null)
      setFollowing(element.scrollHeight - element.scrollTop - element.clientHeight < LINE_HEIGHT * 2);
  };
  return (
    <div className="log-frame">
      <div
        ref={box}
        className="log-box"
        onScroll={onScroll}
        tabIndex={0}
        role="log"
        aria-label={t("log.title")}
        aria-live="off"
        style={{ height: Math.min(440, Math.max(80, lines.length * LINE_HEIGHT + 18)) }}
      >
        <div style={{ height: virtual.getTotalSize(), position: "relative", minWidth: "max-content" }}>
          {virtual.getVirtualItems().map((item) => {
            const line = lines[item.index];
            return line === undefined ? null : (
              <div key={item.key} className="log-line-place" style={{ transform: `translateY(${item.start}px)` }}>
                <Line line={line} time={timeOf(line.atMs)} isError={item.index === error} />
              </div>
            );
          })}
        </div>
      </div>
      {error !== undefined && (
        <button
          type="button"
          className="log-follow log-to-error"
          onClick={() => {
            setFollowing(false);
            setMarked(error);
            virtual.scrollToIndex(error, { align: "center" });
          }}
        >
          <Icon name="alert" size={12} /> {t("log.toError")}
        </button>
      )}
      {!isFollowing && (
        <button type="button" className="log-follow" onClick={() => setFollowing(true)}>
          <Icon name="down" size={12} /> {t("log.follow")}
        </button>
      )}
    </div>
  );
}

const Line = memo(function Line({
  line,
  time,
  isError,
}: {
  readonly line: LogLine;
  readonly time: string;
  readonly isError: boolean;
}) {
  return (
    <div className={`log-line log-${line.stream}${isError ? " log-error" : ""}`} title={time}>
      <span className="log-number">{line.number}</span>
      <span className="log-text">
        {ansiSpans(line.text).map((span, index) => (
          <span key={index} className={span.classes.join(" ")}>
            {span.text}
          </span>
        ))}
      </span>
    </div>
  );
});

function download(name: string, lines: readonly LogLine[]): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(
    new Blob([lines.map(({ text }) => `${withoutAnsi(text)}\n`).join("")], { type: "text/plain" }),
  );
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function toggleFullScreen(frame: HTMLElement | null): Promise<void> {
  if (document.fullscreenElement === null) await frame?.requestFullscreen();
  else await document.exitFullscreen();
}

interface LogState {
  readonly chunks: readonly LogChunk[];
  readonly error: unknown;
  readonly isPending: boolean;
}

/** Reads what there is in pages; while the step runs, the stream brings the rest. */
function useLog(stepRunId: string, isLive: boolean): LogState {
  const read = useQuery({
    queryKey: ["log", stepRunId, isLive],
    queryFn: ({ signal }) => readAll(stepRunId, signal),
    staleTime: isLive ? 0 : Infinity,
  });
  const [streamed, setStreamed] = useState<readonly LogChunk[]>([]);
  const last = read.data?.at(-1)?.sequence ?? 0;
  const isReady = read.data !== undefined;
  useEffect(() => {
    setStreamed([]);
    if (!isLive || !isReady) return undefined;
    let waiting: LogChunk[] = [];
    const timer = setInterval(() => {
      if (waiting.length === 0) return;
      const arrived = waiting;
      waiting = [];
      setStreamed((before) => [...before, ...arrived]);
    }, GATHER_MS);
    const stop = followStream({
      address: toAddress(apiRoutes.streamStepRunLog, { params: { id: stepRunId }, query: { after: last } }),
      end: "end",
      onEvent: (name, data) => name === "log" && waiting.push(JSON.parse(data) as LogChunk),
    });
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [stepRunId, isLive, isReady, last]);
  const chunks = useMemo(() => [...(read.data ?? []), ...streamed], [read.data, streamed]);
  return { chunks, error: read.error ?? undefined, isPending: read.isPending };
}

async function readAll(stepRunId: string, signal: AbortSignal): Promise<readonly LogChunk[]> {
  const chunks: LogChunk[] = [];
  let after = 0;
  for (;;) {
    const page = await call("getStepRunLog", { params: { id: stepRunId }, query: { after } }, signal);
    for (const chunk of page.items) chunks.push(chunk);
    if (!page.more) return chunks;
    after = page.lastSequence;
  }
}
