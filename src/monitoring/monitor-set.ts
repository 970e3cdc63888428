import { type Clock, type LocatedProblem, nearestName } from "#base";
import type { MetadataStore } from "#metadata-store";
import { listMonitors, replaceMonitors, type StoredMonitor } from "#metadata-store/monitoring";
import { monitorInvalid } from "./errors.ts";
import {
  type MonitorFile,
  type MonitorRule,
  type NotifyEntry,
  parseMonitorFile,
  type WindowSize,
} from "./monitor-file.ts";

/** One monitor with the settings of its file. */
export interface Monitor extends Omit<MonitorFile, "monitors"> {
  /** `<endpoint>.<monitor>`: the subject that pipelines subscribe to. */
  readonly name: string;
  readonly rule: MonitorRule;
}

/** Monitors that share windows and reference. */
export interface MonitorSet extends Omit<MonitorFile, "monitors"> {
  readonly monitors: readonly Monitor[];
}

/** What monitor files declare, and their mistakes. */
export interface MonitorDeclarations {
  readonly monitors: readonly Omit<StoredMonitor, "project" | "updatedAtMs">[];
  readonly problems: readonly LocatedProblem[];
}

/**
 * Reads the monitor files of a project: every mistake of all of them.
 *
 * @param files content by project-relative path
 * @param routes names that `notify` may hold; default: any
 * Pure; never throws for what a file says.
 */
export function readMonitorDeclarations(
  files: ReadonlyMap<string, string>,
  routes?: readonly string[],
): MonitorDeclarations {
  const taken = new Map<string, string>();
  const monitors: MonitorDeclarations["monitors"][number][] = [];
  const problems: LocatedProblem[] = [];
  for (const [file, text] of files) {
    const read = parseMonitorFile(text, file);
    problems.push(...read.problems);
    if (read.value === undefined) continue;
    const { monitors: rules, ...settings } = read.value;
    if (routes !== undefined) problems.push(...unknownRoutes(settings.notify ?? [], { file, text, routes }));
    const place = `${settings.environment}/${settings.endpoint} by ${settings.window}`;
    const other = taken.get(place);
    if (other !== undefined)
      problems.push({
        file,
        line: 1,
        column: 1,
        message: `${place} is already watched by ${other}`,
        hint: `Move these monitors into ${other}.`,
      });
    else taken.set(place, file);
    for (const [key, rule] of Object.entries(rules)) {
      const name = `${settings.endpoint}.${key}`;
      monitors.push({
        environment: settings.environment,
        name,
        endpoint: settings.endpoint,
        declaration: { ...settings, name, rule },
        file,
      });
    }
  }
  return { monitors, problems };
}

function unknownRoutes(
  notify: readonly NotifyEntry[],
  { file, text, routes }: { readonly file: string; readonly text: string; readonly routes: readonly string[] },
): readonly LocatedProblem[] {
  const line = text.split("\n").findIndex((one) => /^notify\s*:/.test(one)) + 1;
  return notify.flatMap((entry): readonly LocatedProblem[] => {
    if (typeof entry !== "string" || routes.includes(entry)) return [];
    const nearest = nearestName(entry, routes);
    const known = routes.length === 0 ? "none; declare it under alerts: { routes: … }" : routes.join(", ");
    return [
      {
        file,
        line: Math.max(1, line),
        column: 1,
        message: `there is no route "${entry}"${nearest === undefined ? "" : `; did you mean "${nearest}"?`}`,
        hint: `Routes of esteira.yaml: ${known}.`,
      },
    ];
  });
}

/**
 * Reads the monitor files of a project and makes its monitors exactly those.
 *
 * @param files content by project-relative path
 * @throws MONITORING_MONITOR_INVALID for the first mistake, with file, line and column
 */
export async function saveMonitorFiles(
  options: { readonly store: MetadataStore; readonly clock: Clock; readonly routes?: readonly string[] },
  project: string,
  files: ReadonlyMap<string, string>,
): Promise<readonly StoredMonitor[]> {
  const { monitors: declared, problems } = readMonitorDeclarations(files, options.routes);
  const [problem] = problems;
  if (problem !== undefined)
    throw monitorInvalid({ ...problem, ...(problem.hint === undefined ? {} : { advice: problem.hint }) });
  const monitors = declared.map((monitor): StoredMonitor => ({
    ...monitor,
    project,
    updatedAtMs: options.clock.now(),
  }));
  await options.store.write((transaction) => replaceMonitors(transaction, project, monitors));
  return monitors;
}

const DEFAULTS = { window: "week", reference: "training", min_rows: 200, segments: [] } as const;

/** What watches an endpoint, by window size. An endpoint that nobody watches still gets its weekly scores. */
export async function readMonitorSets(
  store: MetadataStore,
  key: { readonly project: string; readonly environment: string; readonly endpoint: string },
): Promise<readonly MonitorSet[]> {
  const stored = await store.read((transaction) => listMonitors(transaction, key));
  const monitors = stored.map((monitor) => monitor.declaration as Monitor);
  const sizes = new Set<WindowSize>(monitors.map((monitor) => monitor.window));
  const place = { endpoint: key.endpoint, environment: key.environment };
  if (sizes.size === 0) return [{ ...DEFAULTS, ...place, monitors: [] }];
  return [...sizes].map((size) => {
    const own = monitors.filter((monitor) => monitor.window === size);
    const [first] = own;
    return { ...DEFAULTS, ...place, ...(first === undefined ? {} : pickSettings(first)), monitors: own };
  });
}

function pickSettings({
  window,
  reference,
  min_rows,
  segments,
  notify,
}: Monitor): Pick<Monitor, "window" | "reference" | "min_rows" | "segments" | "notify"> {
  return { window, reference, min_rows, segments, ...(notify === undefined ? {} : { notify }) };
}

/** Who a stored monitor tells of its alerts, where its file says so. */
export function monitorNotify(stored: StoredMonitor | undefined): readonly NotifyEntry[] {
  return (stored?.declaration as Partial<Monitor> | undefined)?.notify ?? [];
}

/** Columns that a rule names and the model does not have, with the nearest that it has. */
export function unknownColumns(
  rule: MonitorRule,
  inputs: readonly string[],
  segments: readonly string[] = [],
): readonly { readonly column: string; readonly nearest: string | undefined }[] {
  // Slices are made of segment columns too.
  const known = "slices" in rule ? [...inputs, ...segments] : inputs;
  return inputsNamed(rule)
    .filter((column) => !known.includes(column))
    .map((column) => ({ column, nearest: nearestName(column, known) }));
}

/** Inputs that a rule names; columns that requests may carry beside them are not among them. */
function inputsNamed(rule: MonitorRule): readonly string[] {
  if ("quality" in rule) return rule.quality.columns ?? [];
  if ("features" in rule) return rule.features.columns ?? [];
  if ("skew" in rule) return rule.skew.columns ?? [];
  const own =
    "drift" in rule
      ? rule.drift
      : "multivariate" in rule
        ? rule.multivariate
        : "slices" in rule
          ? rule.slices
          : undefined;
  return own === undefined ? [] : [...(own.columns ?? []), ...(own.except ?? [])];
}
