import type { Overview, Parcel, Station, StationCount, StationName } from "#api";

export const STATION_ORDER: readonly StationName[] = [
  "capture",
  "transform",
  "features",
  "train",
  "test",
  "registry",
  "approve",
  "deploy",
  "production",
];

/** Stations of the upper run of the belt, left to right; the others lie on the lower run, right to left. */
export const UPPER_COUNT = 5;

export interface Belt {
  readonly upper: readonly Station[];
  readonly lower: readonly Station[];
  /** True while a step runs: the belt moves. */
  readonly isMoving: boolean;
  /** True when the project has nothing to run yet. */
  readonly isEmpty: boolean;
}

/** The stations in the two runs of the belt; one that the server did not name is empty. */
export function toBelt(overview: Overview): Belt {
  const byName = new Map(overview.stations.map((station) => [station.name, station]));
  const stations = STATION_ORDER.map((name): Station => byName.get(name) ?? { name, state: "empty", counts: [] });
  return {
    upper: stations.slice(0, UPPER_COUNT),
    lower: stations.slice(UPPER_COUNT),
    isMoving: overview.parcelCount > 0,
    isEmpty: overview.pipelineCount === 0,
  };
}

/** What runs at a station of the belt or of the code lane. */
export function parcelsAt(parcels: readonly Parcel[], station: Parcel["station"]): readonly Parcel[] {
  return parcels.filter((parcel) => parcel.station === station);
}

/** The load a station works on, for its colour. */
export function stationLoad(name: StationName): "data" | "models" | "production" {
  if (name === "capture" || name === "transform" || name === "features") return "data";
  return name === "deploy" || name === "production" || name === "approve" ? "production" : "models";
}

/** Figures that a person should look at when they are not 0, then those that say most; the others stay on the pages. */
const TELLING: readonly StationCount["name"][] = [
  "quarantined",
  "alerts",
  "pending",
  "refused",
  "rows",
  "predictions",
  "passed",
  "models",
  "model_versions",
  "releases",
  "views",
  "training_sets",
  "datasets",
  "approved",
  "runs",
  "endpoints",
  "labelled",
  "versions",
  "environments",
];
const SHOWN_COUNTS = 2;

/** The figures that a station shows, in the order in which the server gave them. */
export function shownCounts(station: Station): readonly StationCount[] {
  const rank = ({ name }: StationCount): number => TELLING.indexOf(name);
  const kept = new Set(
    station.counts
      .filter(({ value }) => value > 0)
      .toSorted((left, right) => rank(left) - rank(right))
      .slice(0, SHOWN_COUNTS),
  );
  return station.counts.filter((count) => kept.has(count));
}

/** The closed path of the belt: two straight runs and two half circles, clockwise from the upper left. */
export function beltPath(width: number, height: number, inset: number): string {
  const radius = height / 2 - inset;
  const left = inset + radius;
  const right = width - inset - radius;
  const top = inset;
  const bottom = height - inset;
  return `M ${left} ${top} H ${right} A ${radius} ${radius} 0 0 1 ${right} ${bottom} H ${left} A ${radius} ${radius} 0 0 1 ${left} ${top} Z`;
}
