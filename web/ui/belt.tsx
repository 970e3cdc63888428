import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { CodeStation, Overview, Parcel, Station } from "#api";
import { beltPath, parcelsAt, shownCounts, stationLoad, toBelt } from "../models/belt.ts";
import { runState } from "../models/run.ts";
import { address } from "../routes/address.ts";
import { codeStationAddress, stationAddress } from "../routes/station-address.ts";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { stateIcon, toneOf } from "./state.tsx";
import { Ago, Amount, DataTime } from "./text.tsx";

const BELT_HEIGHT = 96;
const BELT_INSET = 11;
const ROLLER_STEP = 26;
/** More at one station are counted. */
const PARCELS_SHOWN = 4;

/** The cycle as what it is: a belt that closes on itself. It moves while something runs. */
export function BeltView({ overview }: { readonly overview: Overview }) {
  const { t } = useLanguage();
  const belt = toBelt(overview);
  return (
    <section className={`belt${belt.isMoving ? " belt-moving" : ""}`} aria-label={t("belt.label")}>
      <ol className="belt-row belt-upper">
        {belt.upper.map((station, index) => (
          <StationCard
            key={station.name}
            station={station}
            number={index + 1}
            side="upper"
            parcels={parcelsAt(overview.parcels, station.name)}
          />
        ))}
      </ol>
      <Track overview={overview} />
      <div className="belt-row belt-lower">
        <ol className="belt-lower-list">
          {belt.lower.map((station, index) => (
            <StationCard
              key={station.name}
              station={station}
              number={index + 6}
              side="lower"
              parcels={parcelsAt(overview.parcels, station.name)}
            />
          ))}
        </ol>
        <RetrainCard overview={overview} />
      </div>
      {overview.code !== undefined && <CodeLane stations={overview.code} parcels={overview.parcels} />}
      <Legend />
    </section>
  );
}

interface StationCardProps {
  readonly station: Station;
  readonly number: number;
  readonly side: "upper" | "lower";
  readonly parcels: readonly Parcel[];
}

function StationCard({ station, number, side, parcels }: StationCardProps) {
  const { t, name, format } = useLanguage();
  const isEmpty = station.state === "empty";
  return (
    <li
      className={`station station-${side} load-${stationLoad(station.name)} tone-${toneOf(station.state)}${isEmpty ? " station-empty" : ""}`}
    >
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
        <span className="station-subject">
          {station.subject === undefined ? (
            isEmpty ? (
              t(`station.${station.name}.empty`)
            ) : (
              name("state", station.state)
            )
          ) : (
            <Subject station={station} />
          )}
        </span>
        <span className="station-counts">
          {shownCounts(station).map((count) => (
            <span key={count.name}>
              <b data-figure={`${station.name}.${count.name}`} data-value={count.value}>
                {format.compact(count.value)}
              </b>{" "}
              {t(`count.${count.name}`, { count: count.value })}
            </span>
          ))}
        </span>
        <span className="station-foot">
          {station.lastAtMs === undefined ? (
            " "
          ) : station.name === "production" ? (
            <DataTime atMs={station.lastAtMs} />
          ) : (
            <Ago atMs={station.lastAtMs} />
          )}
        </span>
      </Link>
      <span className="station-post" aria-hidden="true" />
      <Parcels parcels={parcels} />
    </li>
  );
}

/** `delay v2 → production` */
function Subject({ station }: { readonly station: Station | CodeStation }) {
  const { t } = useLanguage();
  const { subject = "", subjectVersion, subjectEnvironment } = station;
  return (
    <Amount name={`${station.name}.subject`} value={`${subject}@${subjectVersion ?? ""}`}>
      {subjectVersion === undefined ? subject : t("belt.subject", { subject, version: String(subjectVersion) })}
      {subjectEnvironment !== undefined && ` → ${subjectEnvironment}`}
    </Amount>
  );
}

/** The steps that run at a station now, each a parcel in the colour of what it carries. */
function Parcels({ parcels }: { readonly parcels: readonly Parcel[] }) {
  const { t } = useLanguage();
  if (parcels.length === 0) return null;
  const shown = parcels.slice(0, PARCELS_SHOWN);
  return (
    <span className="parcels">
      {shown.map((parcel) => (
        <Link
          key={parcel.stepRunId}
          to={address.stepRun(parcel.pipelineRunId, parcel.stepRunId)}
          className={`parcel load-${parcel.load}`}
          title={t("belt.parcel", { step: parcel.step, pipeline: parcel.pipeline })}
          aria-label={t("belt.parcel", { step: parcel.step, pipeline: parcel.pipeline })}
        />
      ))}
      {parcels.length > shown.length && (
        <Link
          to={address.runningRuns()}
          className="parcel-more"
          aria-label={`+${parcels.length - shown.length}: ${t("belt.more", { count: parcels.length - shown.length })}`}
        >
          +{parcels.length - shown.length}
        </Link>
      )}
    </span>
  );
}

/** From a commit to what runs of it: the lane that code takes beside the belt. */
function CodeLane({
  stations,
  parcels,
}: {
  readonly stations: readonly CodeStation[];
  readonly parcels: readonly Parcel[];
}) {
  const { t, name } = useLanguage();
  return (
    <ol className="code-lane" aria-label={t("belt.codeLane")}>
      {stations.map((station) => (
        <li
          key={station.name}
          className={`code-station load-code tone-${toneOf(station.state)}${station.state === "empty" ? " station-empty" : ""}`}
        >
          <Link to={codeStationAddress(station)}>
            <span className="station-name">{t(`codeStation.${station.name}`)}</span>
            <span className="station-state">
              <Icon name={stateIcon(station.state)} size={12} />
              <span className="hidden-text">{name("state", station.state)}</span>
            </span>
            <span className="station-subject">
              {station.subject === undefined ? t("codeStation.empty") : <Subject station={station} />}
            </span>
            <span className="station-foot">{station.lastAtMs !== undefined && <Ago atMs={station.lastAtMs} />}</span>
          </Link>
          <Parcels parcels={parcelsAt(parcels, station.name)} />
        </li>
      ))}
    </ol>
  );
}

function Legend() {
  const { t, name } = useLanguage();
  return (
    <p className="belt-legend">
      {t("belt.legend")}
      {["code", "data", "models"].map((load) => (
        <span key={load} className={`load-${load}`}>
          <span className="legend-parcel" aria-hidden="true" /> {name("load", load)}
        </span>
      ))}
    </p>
  );
}

/** Where the circle closes: an alert in production starts a new training. */
function RetrainCard({ overview }: { readonly overview: Overview }) {
  const { t } = useLanguage();
  const retrain = overview.retrain;
  const isOpen = overview.openAlertCount > 0;
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
        <span className="station-subject">
          {retrain === undefined ? t("belt.retrain.none") : retrain.alert.monitor}
        </span>
        <span className="station-counts">
          {retrain?.pipelineRunId === undefined ? t("belt.retrain.text") : t("belt.retrain.started")}
        </span>
        <span className="station-foot">{retrain === undefined ? " " : <Ago atMs={retrain.alert.atMs} />}</span>
      </Link>
      <span className="station-post" aria-hidden="true" />
    </div>
  );
}

function Track({ overview }: { readonly overview: Overview }) {
  const { t } = useLanguage();
  const [box, width] = useWidth();
  const path = beltPath(width, BELT_HEIGHT, BELT_INSET);
  const radius = BELT_HEIGHT / 2 - BELT_INSET;
  const names = [
    ...new Set(
      [...overview.parcels, ...overview.runs.filter((run) => runState(run) === "running")].map(
        ({ pipeline }) => pipeline,
      ),
    ),
  ];
  const failed = overview.failedRuns.length;
  const still =
    overview.pipelineCount === 0
      ? t("belt.nothing")
      : failed > 0
        ? t("belt.failed", { count: failed })
        : t("belt.still");
  const text = names.length === 0 ? still : t("belt.running", { names: names.join(", ") });
  const rollers = Math.max(0, Math.floor((width - 4 * radius) / ROLLER_STEP));
  return (
    <div ref={box} className="belt-track">
      {width > 0 && (
        <svg width={width} height={BELT_HEIGHT} aria-hidden="true" focusable="false">
          <path d={path} className="belt-band" />
          <path d={path} className="belt-marks" />
          {Array.from({ length: rollers }, (_, index) => (
            <circle
              key={index}
              cx={radius * 2 + BELT_INSET + ROLLER_STEP * (index + 0.5)}
              cy={BELT_HEIGHT - BELT_INSET - 9.5}
              r={2.6}
              className="belt-roller"
            />
          ))}
          {[BELT_INSET + radius, width - BELT_INSET - radius].map((x) => (
            <g key={x} className="belt-drum">
              <circle cx={x} cy={BELT_HEIGHT / 2} r={radius - 8} />
              <g className="belt-spokes" style={{ transformOrigin: `${x}px ${BELT_HEIGHT / 2}px` }}>
                <path
                  d={`M ${x - radius + 14} ${BELT_HEIGHT / 2} H ${x + radius - 14} M ${x} ${BELT_HEIGHT / 2 - radius + 14} V ${BELT_HEIGHT / 2 + radius - 14}`}
                />
              </g>
              <circle cx={x} cy={BELT_HEIGHT / 2} r={4.5} className="belt-axle" />
            </g>
          ))}
        </svg>
      )}
      <p className={`belt-text${failed > 0 && names.length === 0 ? " tone-bad belt-failed" : ""}`}>{text}</p>
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
