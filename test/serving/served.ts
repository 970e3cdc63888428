import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after } from "node:test";
import { digestOf, digestOfJson, silentLog, systemClock } from "#base";
import { type ApprovalCheck, type CandidateWatch, createRollouts, type Rollouts } from "#delivery";
import { type AssetVersion, type MetadataStore, recordAssetVersion, type StoreKind } from "#metadata-store";
import type { Blobs } from "#storage";
import { createServing, createServingCalls, type Serving, type ServingOptions } from "#serving";
import { openTestStore } from "../setup/stores.ts";

const MODELS = join(import.meta.dirname, "models");

/** A model of `models/`, with rows and scikit-learn's own predictions for them. */
export interface ModelCase {
  readonly model: {
    readonly inputs: readonly { readonly name: string; readonly type: string }[];
    readonly example?: Record<string, unknown>;
  };
  readonly rows: readonly Record<string, unknown>[];
  readonly predicted: readonly (number | string)[];
}

export async function readCase(name: string): Promise<ModelCase> {
  return JSON.parse(await readFile(join(MODELS, `${name}.json`), "utf8")) as ModelCase;
}

/** Registers a model of `models/` as the next version of an asset; `change` alters its model.json. */
export async function registerModel(
  { store, objects }: { readonly store: MetadataStore; readonly objects: Blobs },
  file: string,
  options: {
    readonly asset?: string;
    readonly describedBy?: string;
    /** Path of the ONNX file, when it is not in `models/`. */
    readonly onnx?: string;
    readonly change?: object;
    readonly inputs?: readonly { versionId: string; role: string }[];
    readonly record?: object;
    readonly isolation?: string;
  } = {},
): Promise<AssetVersion> {
  const { model } = await readCase(options.describedBy ?? file);
  const onnx = await objects.putFile(options.onnx ?? join(MODELS, `${file}.onnx`));
  const content = {
    format: "model/1",
    tree: { format: "tree/1", files: [{ path: "model.onnx", digest: onnx.digest, sizeBytes: onnx.sizeBytes }] },
    model: { ...model, ...options.change },
    registered: { name: options.asset ?? "delay" },
    record: options.record ?? {},
    ...(options.isolation === undefined ? {} : { isolation: options.isolation }),
  };
  const made = await store.write((transaction) =>
    recordAssetVersion(transaction, {
      project: "p",
      asset: options.asset ?? "delay",
      kind: "model",
      digest: digestOf(`${digestOfJson(content)}${Math.random()}`),
      madeAtMs: systemClock.now(),
      actor: "ana",
      content,
      inputs: options.inputs ?? [],
    }),
  );
  return made.version;
}

export interface TestServing {
  readonly store: MetadataStore;
  readonly address: string;
  readonly objects: Blobs;
  readonly serving: Serving;
  readonly rollouts: Rollouts;
}

/** Rules that let everything through. */
export const OPEN_RULES: ApprovalCheck = {
  check: async () => ({ open: true, approvedBy: [], digest: undefined }),
  stands: async () => ({ open: true, approvedBy: [], digest: undefined }),
};

export async function startServing(
  kind: StoreKind,
  options: Partial<ServingOptions> & { readonly watch?: CandidateWatch; readonly approvals?: ApprovalCheck } = {},
): Promise<TestServing> {
  const { store, objects, address } = await openTestStore(kind);
  const serving = createServing({ store, objects, log: silentLog, ...options });
  after(() => serving.close());
  return { store, address, objects, serving, rollouts: rolloutsOf(serving, { store, ...options }) };
}

/** The trials of a process, wired as `app` does. */
export function rolloutsOf(
  serving: Serving,
  {
    store,
    clock = systemClock,
    watch,
    approvals = OPEN_RULES,
  }: Pick<ServingOptions, "store" | "clock"> & { readonly watch?: CandidateWatch; readonly approvals?: ApprovalCheck },
): Rollouts {
  const rollouts = createRollouts({
    store,
    target: serving.rollouts,
    environments: [{ name: "production", approvals: 0, bind: "version" }],
    approvals,
    clock,
    log: silentLog,
    ...(watch === undefined ? {} : { watch }),
  });
  serving.endpoints.onCandidateFailure(async (place) => {
    await rollouts.settleOne(place);
  });
  return rollouts;
}

let deployments = 0;

export function deploy(
  serving: Serving,
  version: AssetVersion,
  options: {
    readonly strategy?: object;
    readonly environment?: string;
    readonly deploymentId?: string;
    readonly log?: { readonly redact: readonly string[] };
    readonly isRollback?: boolean;
  } = {},
): Promise<unknown> {
  return serving.target.deploy(
    {
      deploymentId: options.deploymentId ?? `d${++deployments}-${version.id}`,
      project: "p",
      environment: options.environment ?? "production",
      endpoint: "delay",
      version,
      actor: "ana",
      ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
      ...(options.log === undefined ? {} : { log: options.log }),
      ...(options.isRollback === undefined ? {} : { isRollback: options.isRollback }),
    },
    { signal: new AbortController().signal, log: () => {} },
  );
}

/** The routes behind a real socket. */
export async function listen(serving: Serving): Promise<string> {
  const routes = createServingCalls({ endpoints: serving.endpoints, project: "p", log: silentLog }).map(
    ({ route, handler }) => ({
      method: route.method,
      handler,
      pattern: new RegExp(`^/${route.path.replaceAll(/:(\w+)/g, "(?<$1>[^/]+)")}$`),
    }),
  );
  const server: Server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? "/", "http://localhost");
      const found = routes.find((route) => route.method === request.method && route.pattern.test(url.pathname));
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      if (found === undefined) return response.writeHead(404).end();
      const params = found.pattern.exec(url.pathname)?.groups ?? {};
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      const answer = await found.handler({
        signal: gone.signal,
        params,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(chunks),
      });
      response.writeHead(answer.status, answer.headers);
      if (typeof answer.body === "string" || answer.body instanceof Uint8Array) return response.end(answer.body);
      return Readable.from(answer.body, { objectMode: false }).pipe(response);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
