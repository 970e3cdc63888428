import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { Page } from "#api";
import {
  type KeyValue,
  toTrackingRun,
  type TrackingRun,
  type WireDouble,
  type WireMetric,
  type WireRun,
} from "../models/tracking/tracking-run.ts";
import { callMlflow } from "./mlflow.ts";

export interface Experiment {
  readonly experiment_id: string;
  readonly name: string;
  readonly artifact_location: string;
  readonly lifecycle_stage: string;
  readonly last_update_time: number;
  readonly creation_time: number;
  readonly tags?: readonly KeyValue[];
}

export interface RegisteredVersion {
  readonly name: string;
  readonly version: string;
  readonly creation_timestamp: number;
  readonly last_updated_timestamp: number;
  readonly current_stage: string;
  readonly description: string;
  readonly source: string;
  readonly run_id: string;
  readonly status: string;
  readonly tags?: readonly KeyValue[];
  readonly aliases?: readonly string[];
}

export interface RegisteredModel {
  readonly name: string;
  readonly creation_timestamp: number;
  readonly last_updated_timestamp: number;
  readonly description?: string;
  readonly latest_versions?: readonly RegisteredVersion[];
  readonly tags?: readonly KeyValue[];
  readonly aliases?: readonly { readonly alias: string; readonly version: string }[];
}

export interface LoggedModel {
  readonly info: {
    readonly model_id: string;
    readonly experiment_id: string;
    readonly name: string;
    readonly status: string;
    readonly model_type: string;
    readonly creation_timestamp_ms: number;
    readonly artifact_uri: string;
  };
  readonly data: {
    readonly params?: readonly KeyValue[];
    readonly metrics?: readonly { readonly key: string; readonly value: WireDouble }[];
  };
}

export interface ArtifactEntry {
  readonly path: string;
  readonly is_dir: boolean;
  readonly file_size?: number;
}

export const LIFECYCLES = ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"] as const;
export type Lifecycle = (typeof LIFECYCLES)[number];

export interface RunSearch {
  readonly experimentId: string;
  readonly filter: string;
  readonly orderBy: readonly string[];
  readonly lifecycle: Lifecycle;
}

/** A text in the filter grammar. */
export function quoteText(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}

/** One page of runs. @throws ProblemError with the server's sentence about the filter */
export async function readRuns(
  search: RunSearch,
  page: { readonly limit: number; readonly token?: string | undefined },
  signal?: AbortSignal,
): Promise<{ readonly runs: readonly TrackingRun[]; readonly token: string | undefined }> {
  const answer = await callMlflow<{ readonly runs?: readonly WireRun[]; readonly next_page_token?: string }>(
    "searchRuns",
    {
      experiment_ids: [search.experimentId],
      filter: search.filter,
      order_by: search.orderBy,
      run_view_type: search.lifecycle,
      max_results: page.limit,
      ...(page.token === undefined ? {} : { page_token: page.token }),
    },
    signal,
  );
  return { runs: (answer.runs ?? []).map(toTrackingRun), token: answer.next_page_token };
}

function listPages<Item>(
  key: readonly unknown[],
  read: (token: string | undefined, signal: AbortSignal) => Promise<Page<Item>>,
) {
  return infiniteQueryOptions({
    queryKey: [...key, "pages"],
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Page<Item>) => page.next,
  });
}

/** Every page, until the server has no more. */
async function readAll<Item>(read: (token: string | undefined) => Promise<Page<Item>>): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (let token: string | undefined; ;) {
    const { items: found, next } = await read(token);
    for (const item of found) items.push(item);
    if (next === undefined) return items;
    token = next;
  }
}

function page<Item>(items: readonly Item[] | undefined, next: string | undefined): Page<Item> {
  return { items: [...(items ?? [])], ...(next === undefined || next === "" ? {} : { next }) };
}

type Paged<Name extends string, Item> = { readonly next_page_token?: string } & {
  readonly [key in Name]?: readonly Item[];
};

/**
 * What the pages of experiments and of the registry read; everything below `tracking` or `registry` is read again when
 * it changes.
 */
export const trackingQueries = {
  experiments: (search: { readonly filter: string; readonly lifecycle: Lifecycle }) =>
    listPages<Experiment>(["tracking", "experiments", search], async (token, signal) => {
      const body = {
        max_results: 200,
        filter: search.filter,
        view_type: search.lifecycle,
        order_by: ["last_update_time DESC"],
        ...(token === undefined ? {} : { page_token: token }),
      };
      const answer = await callMlflow<Paged<"experiments", Experiment>>("searchExperiments", body, signal);
      return page(answer.experiments, answer.next_page_token);
    }),
  experiment: (id: string) =>
    queryOptions({
      queryKey: ["tracking", "experiment", id],
      queryFn: async ({ signal }) =>
        (await callMlflow<{ readonly experiment: Experiment }>("getExperiment", { experiment_id: id }, signal))
          .experiment,
    }),
  run: (id: string) =>
    queryOptions({
      queryKey: ["tracking", "run", id],
      queryFn: async ({ signal }) =>
        toTrackingRun((await callMlflow<{ readonly run: WireRun }>("getRun", { run_id: id }, signal)).run),
    }),
  children: (run: Pick<TrackingRun, "id" | "experimentId">) =>
    queryOptions({
      queryKey: ["tracking", "children", run.id],
      queryFn: ({ signal }) =>
        readAll(async (token) => {
          const { runs, token: next } = await readRuns(
            {
              experimentId: run.experimentId,
              filter: `tags.\`mlflow.parentRunId\` = ${quoteText(run.id)}`,
              orderBy: ["attributes.start_time DESC"],
              lifecycle: "ACTIVE_ONLY",
            },
            { limit: 1000, token },
            signal,
          );
          return page(runs, next);
        }),
    }),
  history: (query: {
    readonly runIds: readonly string[];
    readonly key: string;
    readonly range?: readonly [number, number] | undefined;
    readonly points: number;
  }) =>
    queryOptions({
      queryKey: ["tracking", "history", query],
      queryFn: async ({ signal }) => {
        const range = query.range === undefined ? {} : { start_step: query.range[0], end_step: query.range[1] };
        return (
          (
            await callMlflow<{ readonly metrics?: readonly WireMetric[] }>(
              "getMetricHistoryBulkInterval",
              { run_ids: query.runIds, metric_key: query.key, max_results: query.points, ...range },
              signal,
            )
          ).metrics ?? []
        );
      },
    }),
  artifacts: (runId: string, path: string) =>
    queryOptions({
      queryKey: ["tracking", "artifacts", runId, path],
      queryFn: async ({ signal }) =>
        (
          await callMlflow<{ readonly files?: readonly ArtifactEntry[] }>(
            "listArtifacts",
            { run_id: runId, ...(path === "" ? {} : { path }) },
            signal,
          )
        ).files ?? [],
    }),
  loggedModel: (id: string) =>
    queryOptions({
      queryKey: ["tracking", "logged-model", id],
      queryFn: async ({ signal }) =>
        (await callMlflow<{ readonly model: LoggedModel }>("getLoggedModel", { modelId: id }, signal)).model,
    }),
  versionsOfRun: (runId: string) =>
    queryOptions({
      queryKey: ["registry", "of-run", runId],
      queryFn: ({ signal }) =>
        readAll(async (token) => {
          const answer = await callMlflow<Paged<"model_versions", RegisteredVersion>>(
            "searchModelVersions",
            { filter: `run_id = ${quoteText(runId)}`, max_results: 1000, page_token: token },
            signal,
          );
          return page(answer.model_versions, answer.next_page_token);
        }),
    }),
  registeredModels: (filter: string) =>
    listPages<RegisteredModel>(["registry", "models", filter], async (token, signal) => {
      const answer = await callMlflow<Paged<"registered_models", RegisteredModel>>(
        "searchRegisteredModels",
        { filter, max_results: 200, order_by: ["last_updated_timestamp DESC"], page_token: token },
        signal,
      );
      return page(answer.registered_models, answer.next_page_token);
    }),
  registeredModel: (name: string) =>
    queryOptions({
      queryKey: ["registry", "model", name],
      queryFn: async ({ signal }) =>
        (await callMlflow<{ readonly registered_model: RegisteredModel }>("getRegisteredModel", { name }, signal))
          .registered_model,
    }),
  registeredVersions: (name: string) =>
    listPages<RegisteredVersion>(["registry", "versions", name], async (token, signal) => {
      const answer = await callMlflow<Paged<"model_versions", RegisteredVersion>>(
        "searchModelVersions",
        { filter: `name = ${quoteText(name)}`, max_results: 200, order_by: ["version_number DESC"], page_token: token },
        signal,
      );
      return page(answer.model_versions, answer.next_page_token);
    }),
  registeredVersion: (name: string, version: string) =>
    queryOptions({
      queryKey: ["registry", "version", name, version],
      queryFn: async ({ signal }) =>
        (await callMlflow<{ readonly model_version: RegisteredVersion }>("getModelVersion", { name, version }, signal))
          .model_version,
    }),
} as const;
