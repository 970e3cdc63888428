import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { Overview, Station } from "#api";
import { beltPath, shownCounts, stationLoad, toBelt } from "../models/belt.ts";
import { address } from "../routes/address.ts";
import { stationAddress } from "../routes/station-address.ts";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { stateIcon, toneOf } from "./state.tsx";
import { Ago } from "./text.tsx";

const BELT_HEIGHT = 96;
const BELT_INSET = 11;
const ROLLER_STEP = 26;

/** The cycle as what it is: a belt that closes on itself. It moves while something runs. */
export function BeltView({ overview }: { readonly overview: Overview }) {
  const { t } = useLanguage();
  const belt = toBelt(overview);
  return (
    <section className={`belt${belt.isMoving ? " belt-moving" : ""}`} aria-label={t("belt.label")}>
      <ol className="belt-row belt-upper">
        {belt.upper.map((station, index) => (
          <StationCard key={station.name} station={station} number={index + 1} side="upper" />
        ))}
      </ol>
      <Track isMoving={belt.isMoving} overview={overview} />
      <div className="belt-row belt-lower">
        <ol className="belt-lower-list">
          {belt.lower.map((station, index) => (
            <StationCard key={station.name} station={station} number={index + 6} side="lower" />
          ))}
        </ol>
        <RetrainCard overview={overview} />
      </div>
    </section>
  );
}

interface StationCardProps {
  readonly station: Station;
  readonly number: number;
  readonly side: "upper" | "lower";
}

function StationCard({ station, number, side }: StationCardProps) {
  const { t, name, format } = useLanguage();
  const isEmpty = station.state === "empty";
  return (
    <li className={`station station-${side} load-${stationLoad(station.name)} tone-${toneOf(station.state)}${isEmpty ? " station-empty" : ""}`}>
      <Link to={stationAddress(station)} className="station-card">
        <span className="station-head">
          <span className="station-icon">
            <Icon name={station.name} size={17} />
          </span>
          <span className="station-name">
            <span className="station-number">{number}</span> {t(`station.${station.name}`)}
          </span>
          <span className="station-state">
            <Icon name={stateIcon(station.state)} size={12} />
            <span className="hidden-text">{name("state", station.state)}</span>
          </span>
        </span>
        <span className="station-subject">{station.subject ?? (isEmpty ? t(`station.${station.name}.empty`) : name("state", station.state))}</span>
        <span className="station-counts">
          {shownCounts(station).map((count) => (
            <span key={count.name}>
              <b>{format.compact(count.value)}</b> {t(`count.${count.name}`, { count: count.value })}
            </span>
          ))}
        </span>
        <span className="station-foot">{station.lastAtMs === undefined ? " " : <Ago atMs={station.lastAtMs} />}</span>
      </Link>
      <span className="station-post" aria-hidden="true" />
    </li>
  );
}

/** Where the circle closes: an alert in production starts a new training. */
function RetrainCard({ overview }: { readonly overview: Overview }) {
  const { t } = useLanguage();
  const retrain = overview.retrain;
  const isOpen = overview.openAlerts.length > 0;
  const target = retrain?.pipelineRunId === undefined ? address.alerts() : address.run(retrain.pipelineRunId);
  return (
    <div className={`station station-lower station-retrain tone-${isOpen ? "bad" : "idle"}`}>
      <Link to={target} className="station-card">
        <span className="station-head">
          <span className="station-icon">
            <Icon name="retrain" size={17} />
          </span>
          <span className="station-name">{t("belt.retrain")}</span>
        </span>
        <span className="station-subject">{retrain === undefined ? t("belt.retrain.none") : retrain.alert.monitor}</span>
        <span className="station-counts">{retrain?.pipelineRunId === undefined ? t("belt.retrain.text") : t("belt.retrain.started")}</span>
        <span className="station-foot">{retrain === undefined ? " " : <Ago atMs={retrain.alert.atMs} />}</span>
      </Link>
      <span className="station-post" aria-hidden="true" />
    </div>
  );
}

function Track({ isMoving, overview }: { readonly isMoving: boolean; readonly overview: Overview }) {
  const { t } = useLanguage();
  const [box, width] = useWidth();
  const path = beltPath(width, BELT_HEIGHT, BELT_INSET);
  const radius = BELT_HEIGHT / 2 - BELT_INSET;
  const running = overview.runs.filter(({ status }) => status === "running");
  const text = running.length === 0 ? (overview.pipelineCount === 0 ? t("belt.nothing") : t("belt.still")) : t("belt.running", { count: running.length, names: [...new Set(running.map((run) => run.pipeline))].join(", ") });
  const rollers = Math.max(0, Math.floor((width - 4 * radius) / ROLLER_STEP));
  return (
    <div ref={box} className="belt-track">
      {width > 0 && (
        <svg width={width} height={BELT_HEIGHT} aria-hidden="true" focusable="false">
          <path d={path} className="belt-band" />
          <path d={path} className="belt-marks" />
          {Array.from({ length: rollers }, (_, index) => (
            <circle key={index} cx={radius * 2 + BELT_INSET + ROLLER_STEP * (index + 0.5)} cy={BELT_HEIGHT - BELT_INSET - 9.5} r={2.6} className="belt-roller" />
          ))}
          {[BELT_INSET + radius, width - BELT_INSET - radius].map((x) => (
            <g key={x} className="belt-drum">
              <circle cx={x} cy={BELT_HEIGHT / 2} r={radius - 8} />
              <g className="belt-spokes" style={{ transformOrigin: `${x}px ${BELT_HEIGHT / 2}px` }}>
                <path d={`M ${x - radius + 14} ${BELT_HEIGHT / 2} H ${x + radius - 14} M ${x} ${BELT_HEIGHT / 2 - radius + 14} V ${BELT_HEIGHT / 2 + radius - 14}`} />
              </g>
              <circle cx={x} cy={BELT_HEIGHT / 2} r={4.5} className="belt-axle" />
            </g>
          ))}
          {isMoving && ["data", "models", "code", "data", "models"].map((load, index) => <rect key={index} x={-7} y={-7} width={14} height={14} rx={3.500} className={`parcel load-${load}`} style={{ offsetPath: `path("${path}")`, animationDelay: `${index * -5.2}s` }} />)}
        </svg>
      )}
      <p className="belt-text">{text}</p>
    </div>
  );
}

function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry?.contentRect.width ?? 0)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [box, width] as const;
}
