import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import type { PipelineRunDetail } from "#api";
import { isOver, lastKnownMs, stepState, type TimelineBar, toTimeline } from "../models/run.ts";
import { useLanguage } from "./language.tsx";
import { useNow } from "./now.ts";
import { StepReason } from "./reason-text.tsx";
import { StateMark, toneOf } from "./state.tsx";
import { Duration } from "./text.tsx";
import "./timeline.css";

const ROW_HEIGHT = 34;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

interface TimelineProps {
  readonly run: PipelineRunDetail;
  readonly selected: string | undefined;
  readonly onSelect: (id: string | undefined) => void;
}

/** When each step run waited and worked; a fan-out of thousands is virtualised. */
export function TimelineView(props: TimelineProps) {
  const { run } = props;
  if (run.isAbandoned === true) return <Bars {...props} nowMs={lastKnownMs(run.stepRuns)} />;
  return isOver(run.status) ? <Bars {...props} nowMs={run.endedAtMs ?? 0} /> : <LiveBars {...props} />;
}

function LiveBars(props: TimelineProps) {
  return <Bars {...props} nowMs={useNow()} />;
}

function Bars({ run, selected, onSelect, nowMs }: TimelineProps & { readonly nowMs: number }) {
  const { t, format } = useLanguage();
  const box = useRef<HTMLDivElement>(null);
  const timeline = toTimeline(run.stepRuns, nowMs);
  const virtual = useVirtualizer({
    count: timeline.bars.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  });
  return (
    <div className="timeline">
      <div className="timeline-axis" aria-hidden="true">
        <span />
        <div>
          {TICKS.map((tick) => (
            <span key={tick} style={{ left: `${tick * 100}%` }}>
              {format.duration(tick * (timeline.endMs - timeline.startMs))}
            </span>
          ))}
        </div>
        <span />
      </div>
      <div
        ref={box}
        className="timeline-box"
        style={{ maxHeight: 15 * ROW_HEIGHT }}
        tabIndex={timeline.bars.length > 15 ? 0 : undefined}
        role="group"
        aria-label={t("run.timeline")}
      >
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const bar = timeline.bars[item.index];
            return bar === undefined ? null : (
              <Row
                key={bar.stepRun.id}
                bar={bar}
                state={stepState(bar.stepRun, run)}
                top={item.start}
                isSelected={bar.stepRun.id === selected}
                onSelect={onSelect}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  readonly bar: TimelineBar;
  readonly state: string;
  readonly top: number;
  readonly isSelected: boolean;
  readonly onSelect: (id: string | undefined) => void;
}

function Row({ bar, state, top, isSelected, onSelect }: RowProps) {
  const { t, format } = useLanguage();
  const { stepRun } = bar;
  const { progress } = stepRun;
  const isRunning = state === "running";
  return (
    <button
      type="button"
      className={`timeline-row${isSelected ? " timeline-row-selected" : ""}`}
      style={{ transform: `translateY(${top}px)`, height: ROW_HEIGHT }}
      onClick={() => onSelect(stepRun.id)}
      aria-expanded={isSelected}
    >
      <span className="timeline-name">
        <StateMark state={state} cached={stepRun.cached} />
        <span>
          {stepRun.step} {stepRun.matrix !== undefined && <span className="muted">{stepRun.matrix}</span>}
        </span>
      </span>
      <span className="timeline-track">
        {bar.from > bar.queuedFrom && (
          <span
            className="timeline-queued"
            style={{ left: `${bar.queuedFrom * 100}%`, width: `${(bar.from - bar.queuedFrom) * 100}%` }}
          />
        )}
        {stepRun.startedAtMs !== undefined && (
          <span
            className={`timeline-bar tone-${toneOf(stepRun.cached ? "cached" : state)}${isRunning ? " timeline-bar-running" : ""}`}
            style={{ left: `${bar.from * 100}%`, width: `${(bar.to - bar.from) * 100}%` }}
          />
        )}
        {stepRun.startedAtMs === undefined && (
          <span className="timeline-note">
            <StepReason stepRun={stepRun} />
          </span>
        )}
      </span>
      <span className="timeline-time">
        {isRunning && progress?.total !== undefined ? (
          format.percent(progress.done / Math.max(1, progress.total), 0)
        ) : stepRun.cached ? (
          t("state.cached")
        ) : (
          <Duration startMs={state === "abandoned" ? undefined : stepRun.startedAtMs} endMs={stepRun.endedAtMs} />
        )}
      </span>
    </button>
  );
}
