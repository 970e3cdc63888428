import { isEsteiraError, type Json, messageOf } from "#base";
import { z } from "zod";
import { requestInvalid } from "./errors.ts";
import { parseFeastJson } from "./feast-json.ts";
import type { FeatureDefinitions, FeatureReference, FeatureView } from "./feature-definitions.ts";
import { type MaterializeRoute, viewsToMaterialize } from "./materialize-request.ts";
import { type FeaturePush, parseOnlineWrite, parsePush } from "./push-request.ts";
import type { OnlineColumn, OnlineFeatureRows, OnlineRequest, OnlineValue } from "./online-read.ts";

/** An answer of the feature server: text, because whole numbers beyond 2^53 must keep their digits. */
export interface FeatureServerResponse {
  readonly status: number;
  readonly contentType: "application/json";
  readonly body: string;
}

const requestSchema = z.object({
  features: z.array(z.string()).optional(),
  feature_service: z.string().optional(),
  entities: z.record(z.string(), z.array(z.unknown())),
  full_feature_names: z.boolean().optional(),
});

const EPOCH = "1970-01-01T00:00:00Z";

/**
 * Answers `POST /get-online-features` as Feast's feature server does: columns of values, statuses and event timestamps,
 * join keys first.
 *
 * @param body the request's text, whatever its content type says
 * Source: Feast 0.66, feature_server.py and infra/online_stores/remote.py. Errors that Feast has a class for are a text
 * that holds JSON, as its client expects; the others are FastAPI's `{"detail": …}`.
 */
export async function answerGetOnlineFeatures(
  body: string,
  read: (request: OnlineRequest) => Promise<OnlineFeatureRows>,
): Promise<FeatureServerResponse> {
  try {
    const request = parseRequest(body);
    const rows = await read(request);
    return { status: 200, contentType: "application/json", body: formatRows(rows, request.entities) };
  } catch (error) {
    return toFeastError(error);
  }
}

/** The routes by which Feast's clients write. */
export type PushRoute = "push" | "write-to-online-store";

/**
 * Answers `POST /push` and `POST /write-to-online-store` as Feast's feature server does: without a body, and with
 * `null`.
 */
export async function answerPush(
  route: PushRoute,
  body: string,
  push: (push: FeaturePush) => Promise<void>,
): Promise<FeatureServerResponse> {
  try {
    await push(route === "push" ? parsePush(body) : parseOnlineWrite(body));
    return { status: 200, contentType: "application/json", body: route === "push" ? "" : "null" };
  } catch (error) {
    return toFeastError(error);
  }
}

/** What materializes for the routes of Feast's feature server. */
export interface Materializer {
  definitions(): Promise<FeatureDefinitions>;
  materialize(views: readonly FeatureView[]): Promise<void>;
  /** Views that a request without waiting brings online now. */
  readonly underWay: Set<string>;
  failed(error: unknown): void;
}

/**
 * Answers `POST /materialize` and `POST /materialize-incremental` as Feast's feature server does: with `null` when the
 * views are online, or at once with `202` (`async`); then a second request for one of them gets 409, unless it says
 * `force`.
 */
export async function answerMaterialize(
  route: MaterializeRoute,
  request: { readonly body: string; readonly isAsync: boolean; readonly isForced: boolean },
  materializer: Materializer,
): Promise<FeatureServerResponse> {
  const contentType = "application/json";
  try {
    const views = viewsToMaterialize(route, request.body, await materializer.definitions());
    const names = views.map(({ name }) => name);
    if (!request.isAsync) {
      await materializer.materialize(views);
      return { status: 200, contentType, body: "null" };
    }
    const { underWay } = materializer;
    const busy = names.filter((name) => underWay.has(name));
    if (busy.length > 0 && !request.isForced) {
      const error = `Being materialized already: ${busy.join(", ")}. Wait for its end, or ask with ?force=true.`;
      return { status: 409, contentType, body: JSON.stringify({ error, feature_views: busy }) };
    }
    for (const name of names) underWay.add(name);
    materializer
      .materialize(views)
      .catch((error: unknown) => materializer.failed(error))
      .finally(() => names.forEach((name) => underWay.delete(name)));
    return { status: 202, contentType, body: JSON.stringify({ status: "accepted", feature_views: names }) };
  } catch (error) {
    return toFeastError(error);
  }
}

function parseRequest(body: string): OnlineRequest {
  const checked = requestSchema.safeParse(parseFeastJson(body));
  if (!checked.success)
    throw requestInvalid({
      found: checked.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`).join("; "),
    });
  const { features, feature_service: service, entities, full_feature_names: fullNames } = checked.data;
  if ((features === undefined) === (service === undefined))
    throw requestInvalid({ found: "expected one of features and feature_service" });
  return {
    features: service ?? (features ?? []).map(toReference),
    entities,
    ...(fullNames === undefined ? {} : { fullNames }),
  };
}

function toReference(text: string): FeatureReference {
  const [view = "", feature] = text.split(":");
  if (feature === undefined || feature === "")
    throw requestInvalid({ found: `the feature ${JSON.stringify(text)} is not of the form view:feature` });
  return { view: view.replace(/@.*$/, ""), features: [feature] };
}

function formatRows(rows: OnlineFeatureRows, entities: OnlineRequest["entities"]): string {
  const keys = rows.keys.map(
    (key) =>
      `{"values":${listOf(entities[key] ?? [], (value) => jsonOf(value as OnlineValue))},"statuses":${listOf(entities[key] ?? [], () => '"PRESENT"')},"event_timestamps":${listOf(entities[key] ?? [], () => `"${EPOCH}"`)}}`,
  );
  const columns = rows.columns.map(
    (column: OnlineColumn) =>
      `{"values":${listOf(column.values, jsonOf)},"statuses":${JSON.stringify(column.statuses)},"event_timestamps":${listOf(column.eventUs, (us) => `"${timestampOf(us)}"`)}}`,
  );
  const names = [...rows.keys, ...rows.columns.map(({ name }) => name)];
  return `{"metadata":{"feature_names":${JSON.stringify(names)}},"results":[${[...keys, ...columns].join(",")}]}`;
}

function listOf<Value>(values: readonly Value[], format: (value: Value) => string): string {
  return `[${values.map(format).join(",")}]`;
}

function jsonOf(value: OnlineValue): string {
  return typeof value === "bigint" ? value.toString() : JSON.stringify(value as Json);
}

/** RFC 3339 with 0, 3 or 6 digits of seconds, as protobuf prints timestamps. */
function timestampOf(us: number): string {
  const whole = new Date(Math.floor(us / 1000)).toISOString();
  const fraction = ((us % 1_000_000) + 1_000_000) % 1_000_000;
  const digits =
    fraction === 0
      ? ""
      : fraction % 1000 === 0
        ? `.${String(fraction / 1000).padStart(3, "0")}`
        : `.${String(fraction).padStart(6, "0")}`;
  return `${whole.slice(0, 19)}${digits}Z`;
}

const FEAST_CLASSES: Readonly<Record<string, string>> = {
  "feature view": "FeatureViewNotFoundException",
  "feature service": "FeatureServiceNotFoundException",
  feature: "FeatureNotFoundException",
  entity: "EntityNotFoundException",
};

/** The Feast client raises the class that is named here. */
function toFeastError(error: unknown): FeatureServerResponse {
  const status = isEsteiraError(error) ? error.status : 500;
  const message =
    isEsteiraError(error) && error.hint !== undefined ? `${error.message}. ${error.hint}` : messageOf(error);
  const feastClass = isEsteiraError(error, "FEATURES_NAME_UNKNOWN")
    ? FEAST_CLASSES[String(error.context["kind"])]
    : isEsteiraError(error, "FEATURES_PUSH_SOURCE_UNKNOWN")
      ? "PushSourceNotFoundException"
      : undefined;
  const answer =
    feastClass === undefined
      ? { detail: message }
      : JSON.stringify({ module: "feast.errors", class: feastClass, message });
  return { status, contentType: "application/json", body: JSON.stringify(answer) };
}
