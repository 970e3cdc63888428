import { Agent, request } from "node:https";
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { EsteiraError, messageOf } from "#base";
import { pause } from "../pause.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { type ClusterObject, clusterObjectSchema, nameOfObject, type ResourceKind } from "./cluster-object.ts";
import { clusterConflict, clusterRefused, clusterUnreachable } from "./kubernetes-errors.ts";

const ANSWER_MS = 30_000;
/** The server ends a watch itself before this. */
const WATCH_S = 240;
const LARGEST_ANSWER = 16 * 1024 ** 2;
const TRIES = 6;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
const PAGE = 250;
/** What another try does not cure. */
const NO_TRUST = /^(CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH|ERR_OSSL|ERR_SSL)/;
/** Owner of the fields that esteira applies. */
const FIELD_MANAGER = "esteira";

export interface ClusterOptions {
  readonly access: ClusterAccess;
  readonly signal: AbortSignal;
}

/** One change that a watch tells. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: ClusterObject;
}

/** Everything that there is, or one change of it. */
export type ClusterNews = { readonly listed: readonly ClusterObject[] } | WatchEvent;

interface Call {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly contentType?: string;
  /** For messages: "apply deployment/web". */
  readonly what: string;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfterMs: number | undefined;
}

const statusSchema = z.looseObject({
  message: z.string().optional(),
  reason: z.string().optional(),
  code: z.number().optional(),
  details: z
    .looseObject({
      causes: z
        .array(
          z.looseObject({
            reason: z.string().optional(),
            message: z.string().optional(),
            field: z.string().optional(),
          }),
        )
        .nullish(),
    })
    .nullish(),
});
const resourcesSchema = z.looseObject({
  resources: z.array(z.looseObject({ name: z.string(), kind: z.string(), namespaced: z.boolean() })),
});
const listSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string().optional(), continue: z.string().optional() }),
  items: z.array(z.looseObject({})).nullish(),
});
const eventSchema = z.looseObject({ type: z.string(), object: z.looseObject({}) });

/** The API of a cluster, as far as releases and jobs need it. Nothing of the access is in an error or a log. */
export class Cluster {
  readonly server: string;
  readonly #access: ClusterAccess;
  readonly #signal: AbortSignal;
  readonly #agent: Agent;
  readonly #resources = new Map<string, readonly ResourceKind[]>();

  constructor({ access, signal }: ClusterOptions) {
    this.server = access.server;
    this.#access = access;
    this.#signal = signal;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 8,
      rejectUnauthorized: !access.isInsecure,
      minVersion: "TLSv1.2",
      ...(access.authority === undefined ? {} : { ca: access.authority }),
      ...(access.certificate === undefined ? {} : { cert: access.certificate, key: access.key }),
      ...(access.serverName === undefined ? {} : { servername: access.serverName }),
    });
  }

  /** Closes connections; nothing of it is used afterwards. */
  close(): void {
    this.#agent.destroy();
  }

  /** How a kind is reached; undefined where the cluster has none of it. @throws EXECUTORS_CLUSTER_* */
  async findKind(apiVersion: string, kind: string): Promise<ResourceKind | undefined> {
    let known = this.#resources.get(apiVersion);
    if (known === undefined) {
      const { status, text } = await this.#send({
        method: "GET",
        path: rootOf(apiVersion),
        what: `look up ${apiVersion}`,
      });
      const { resources } = status === 404 ? { resources: [] } : resourcesSchema.parse(JSON.parse(text));
      known = resources
        .filter(({ name }) => !name.includes("/"))
        .map((found) => ({ apiVersion, kind: found.kind, resource: found.name, isNamespaced: found.namespaced }));
      this.#resources.set(apiVersion, known);
    }
    return known.find((found) => found.kind === kind);
  }

  /** undefined where there is none. @throws EXECUTORS_CLUSTER_* */
  async find(kind: ResourceKind, namespace: string, name: string): Promise<ClusterObject | undefined> {
    const what = `read ${nameOfObject({ kind: kind.kind, metadata: { name } })}`;
    const { status, text } = await this.#send({ method: "GET", path: pathOf(kind, namespace, name), what });
    return status === 404 ? undefined : clusterObjectSchema.parse(JSON.parse(text));
  }

  /**
   * Applies an object on the server's side, as the manager `esteira`. Idempotent.
   *
   * @throws EXECUTORS_CLUSTER_CONFLICT where others manage a field, EXECUTORS_CLUSTER_REFUSED,
   *   EXECUTORS_CLUSTER_UNREACHABLE
   */
  async apply(
    kind: ResourceKind,
    object: ClusterObject,
    of: { readonly namespace: string; readonly isForced: boolean; readonly isTrial?: boolean },
  ): Promise<ClusterObject> {
    const name = nameOfObject(object);
    const { status, text } = await this.#send({
      method: "PATCH",
      path: pathOf(kind, of.namespace, object.metadata.name),
      query: {
        fieldManager: FIELD_MANAGER,
        force: String(of.isForced),
        ...(of.isTrial === true ? { dryRun: "All" } : {}),
      },
      // JSON is YAML.
      contentType: "application/apply-patch+yaml",
      body: object,
      what: `apply ${name}`,
    });
    if (status === 409) throw clusterConflict({ object: name, conflicts: conflictsOf(text) });
    if (status === 404) throw this.#refused({ what: `apply ${name}` }, status, text);
    return clusterObjectSchema.parse(JSON.parse(text));
  }

  /**
   * Makes an object. A call that was not answered is made again: whoever finds one of this name then has to look
   * whether it is its own.
   *
   * @returns undefined where there is one of this name. @throws EXECUTORS_CLUSTER_*
   */
  async create(kind: ResourceKind, namespace: string, object: ClusterObject): Promise<ClusterObject | undefined> {
    const call: Call = {
      method: "POST",
      path: pathOf(kind, namespace),
      query: { fieldManager: FIELD_MANAGER },
      body: object,
      what: `create ${nameOfObject(object)}`,
    };
    const { status, text } = await this.#send(call);
    if (status === 409 && parseStatus(text)?.reason === "AlreadyExists") return undefined;
    if (status >= 300) throw this.#refused(call, status, text);
    return clusterObjectSchema.parse(JSON.parse(text));
  }

  /** Deletes an object, if it is still the same one. Idempotent. @throws EXECUTORS_CLUSTER_* */
  async remove(kind: ResourceKind, namespace: string, object: ClusterObject): Promise<void> {
    const { uid, name } = object.metadata;
    await this.#send({
      method: "DELETE",
      path: pathOf(kind, namespace, name),
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy: "Background",
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      },
      contentType: "application/json",
      what: `delete ${nameOfObject(object)}`,
    });
  }

  /** All objects of a kind that a selector finds, and the version of the list. @throws EXECUTORS_CLUSTER_* */
  async list(
    kind: ResourceKind,
    namespace: string,
    selector: { readonly labels?: string; readonly fields?: string },
  ): Promise<{ readonly items: readonly ClusterObject[]; readonly resourceVersion: string }> {
    const items: ClusterObject[] = [];
    let from = "";
    for (;;) {
      const { status, text } = await this.#send({
        method: "GET",
        path: pathOf(kind, namespace),
        query: {
          ...selected(selector),
          limit: String(PAGE),
          ...(from === "" ? {} : { continue: from }),
        },
        what: `list ${kind.resource}`,
      });
      if (status === 404) return { items: [], resourceVersion: "" };
      if (status === 410) {
        // The pages after the first have expired.
        items.length = 0;
        from = "";
        continue;
      }
      const list = listSchema.parse(JSON.parse(text));
      // Items of a list do not say what they are.
      for (const item of list.items ?? [])
        items.push(clusterObjectSchema.parse({ apiVersion: kind.apiVersion, kind: kind.kind, ...item }));
      from = list.metadata.continue ?? "";
      if (from === "") return { items, resourceVersion: list.metadata.resourceVersion ?? "" };
    }
  }

  /** The last lines that a container of a pod wrote; "" where there are none. @throws EXECUTORS_CLUSTER_* */
  async logOf(
    namespace: string,
    pod: string,
    of: { readonly container: string; readonly isPrevious: boolean; readonly lines: number },
  ): Promise<string> {
    const { status, text } = await this.#send({
      method: "GET",
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`,
      query: {
        container: of.container,
        previous: String(of.isPrevious),
        tailLines: String(of.lines),
        limitBytes: "8192",
      },
      what: `read the log of pod/${pod}`,
    });
    return status === 404 ? "" : text;
  }

  /**
   * One object from now on: as it is, and after each change; undefined while there is none. It goes on where it was
   * when the connection ends, and lists again when the cluster no longer knows that place.
   */
  async *follow(
    kind: ResourceKind,
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): AsyncGenerator<ClusterObject | undefined, void> {
    const fields = `metadata.name=${name}`;
    for await (const news of this.followAll(kind, namespace, { fields }, signal)) {
      if ("listed" in news) yield news.listed[0];
      else yield news.type === "DELETED" ? undefined : news.object;
    }
  }

  /**
   * All objects that a selector finds: as they are, then each change. After a break it goes on where it was; where the
   * cluster no longer knows that place, it lists again, and what is not listed is gone.
   *
   * @throws EXECUTORS_CLUSTER_* when the cluster cannot be listed
   */
  async *followAll(
    kind: ResourceKind,
    namespace: string,
    selector: { readonly labels?: string; readonly fields?: string },
    signal: AbortSignal,
  ): AsyncGenerator<ClusterNews, void> {
    while (!signal.aborted) {
      const listed = await this.list(kind, namespace, selector);
      yield { listed: listed.items };
      let from: string | undefined = listed.resourceVersion;
      while (from !== undefined && !signal.aborted) {
        from = yield* this.#changes(kind, namespace, { ...selector, from }, signal);
        await pause(FIRST_PAUSE_MS, signal);
      }
    }
  }

  /** The changes of one connection. @returns where to go on; undefined: list again */
  async *#changes(
    kind: ResourceKind,
    namespace: string,
    of: { readonly labels?: string; readonly fields?: string; readonly from: string },
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent, string | undefined> {
    let next: string | undefined = of.from;
    try {
      for await (const event of this.#watch(kind, namespace, of, signal)) {
        next = event?.object.metadata.resourceVersion;
        if (event !== undefined && event.type !== "BOOKMARK") yield event;
      }
      return next;
    } catch (error) {
      if (error instanceof EsteiraError && error.kind === "terminal") throw error;
      // The list that follows says what is wrong, after tries of its own.
      return undefined;
    }
  }

  /** undefined, at the end: the cluster no longer knows where to go on. */
  async *#watch(
    kind: ResourceKind,
    namespace: string,
    of: { readonly labels?: string; readonly fields?: string; readonly from: string },
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent | undefined, void> {
    const call: Call = {
      method: "GET",
      path: pathOf(kind, namespace),
      query: {
        watch: "true",
        ...selected(of),
        resourceVersion: of.from,
        allowWatchBookmarks: "true",
        timeoutSeconds: String(WATCH_S),
      },
      what: `watch ${kind.resource}`,
    };
    const answer = await this.#open(call, signal);
    if (answer.statusCode === 410) return (void answer.resume(), yield undefined);
    if (answer.statusCode !== 200) {
      const { status, text } = await readAnswer(answer);
      throw this.#refused(call, status, text);
    }
    let rest = "";
    answer.setEncoding("utf8");
    for await (const piece of answer) {
      rest += String(piece);
      if (rest.length > LARGEST_ANSWER) throw this.#unreachable(call, "one event has more than 16 MiB");
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.trim() === "") continue;
        const event = eventSchema.parse(JSON.parse(line));
        // Gone (410), or what the server could not go on with: a new list says what is.
        if (event.type === "ERROR") return yield undefined;
        yield {
          type: z.enum(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]).parse(event.type),
          object: clusterObjectSchema.parse({
            ...event.object,
            metadata: { name: "", ...z.looseObject({}).parse(event.object["metadata"]) },
          }),
        };
      }
    }
  }

  /** Tries again what may pass; gives back 2xx, 404, 409 and 410. */
  async #send(call: Call): Promise<Answer> {
    for (let number = 1; ; number++) {
      const isLast = number === TRIES;
      let waitMs = Math.min(FIRST_PAUSE_MS * 2 ** (number - 1), LONGEST_PAUSE_MS);
      try {
        const answer = await readAnswer(await this.#open(call, this.#signal));
        const { status, text } = answer;
        if (status < 300 || status === 404 || status === 410) return answer;
        // A delete whose object is another by now has nothing to do.
        if (status === 409 && call.method !== "GET") return answer;
        if (isLast || (status !== 429 && status < 500)) throw this.#refused(call, status, text);
        waitMs = Math.max(waitMs, Math.min(answer.retryAfterMs ?? 0, LONGEST_PAUSE_MS));
      } catch (error) {
        if (error instanceof EsteiraError) throw error;
        this.#signal.throwIfAborted();
        if (isLast || NO_TRUST.test(codeOf(error))) throw this.#unreachable(call, reasonOf(error), error);
      }
      await pause(waitMs, this.#signal);
      this.#signal.throwIfAborted();
    }
  }

  async #open(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const token = await this.#access.token();
    const content = call.body === undefined ? undefined : JSON.stringify(call.body);
    const query = call.query === undefined ? "" : `?${new URLSearchParams(call.query).toString()}`;
    return new Promise((resolve, reject) => {
      const sent = request(
        `${this.server}${call.path}${query}`,
        {
          method: call.method,
          agent: this.#agent,
          signal,
          // A watch is silent for as long as nothing changes.
          timeout: call.query?.["watch"] === undefined ? ANSWER_MS : (WATCH_S + 30) * 1000,
          headers: {
            accept: "application/json",
            "user-agent": "esteira",
            ...(token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` }),
            ...(content === undefined
              ? {}
              : {
                  "content-type": call.contentType ?? "application/json",
                  "content-length": Buffer.byteLength(content),
                }),
          },
        },
        resolve,
      );
      sent.on("timeout", () => sent.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
      sent.on("error", reject);
      sent.end(content);
    });
  }

  #refused({ what }: Pick<Call, "what">, status: number, text: string): EsteiraError {
    const said = parseStatus(text);
    const reason = (said?.message ?? text.trim().split("\n")[0] ?? "").slice(0, 1000);
    return status >= 500 || status === 429
      ? this.#unreachable({ what }, `it answers ${status}: ${reason}`)
      : clusterRefused({ server: this.server, what, status, reason });
  }

  #unreachable({ what }: Pick<Call, "what">, reason: string, cause?: unknown): EsteiraError {
    return clusterUnreachable({ server: this.server, what, reason }, cause);
  }
}

async function readAnswer(answer: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of answer) {
    const bytes = Buffer.from(piece);
    size += bytes.length;
    if (size > LARGEST_ANSWER) throw new Error("the answer has more than 16 MiB");
    pieces.push(bytes);
  }
  const seconds = Number(answer.headers["retry-after"]);
  return {
    status: answer.statusCode ?? 0,
    text: Buffer.concat(pieces).toString("utf8"),
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  };
}

function rootOf(apiVersion: string): string {
  const parts = apiVersion.split("/").map(encodeURIComponent).join("/");
  return apiVersion.includes("/") ? `/apis/${parts}` : `/api/${parts}`;
}

function pathOf({ apiVersion, resource, isNamespaced }: ResourceKind, namespace: string, name?: string): string {
  const place = isNamespaced ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${rootOf(apiVersion)}${place}/${resource}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}

function selected(selector: { readonly labels?: string; readonly fields?: string }): Record<string, string> {
  return {
    ...(selector.labels === undefined ? {} : { labelSelector: selector.labels }),
    ...(selector.fields === undefined ? {} : { fieldSelector: selector.fields }),
  };
}

function parseStatus(text: string): z.infer<typeof statusSchema> | undefined {
  try {
    return statusSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Who has which field, of the causes that the server lists: `conflict with "kubectl" using apps/v1`. */
function conflictsOf(text: string): readonly { readonly field: string; readonly manager: string }[] {
  const said = parseStatus(text);
  const causes = (said?.details?.causes ?? []).filter(({ reason }) => reason === "FieldManagerConflict");
  if (causes.length === 0) return [{ field: said?.message ?? "the object", manager: "unknown" }];
  return causes.map(({ field, message }) => ({
    field: field ?? "?",
    manager: /conflict with "([^"]*)"/.exec(message ?? "")?.[1] ?? message ?? "unknown",
  }));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const said = messageOf(error);
  return NO_TRUST.test(code) ? `its certificate is not trusted (${code}: ${said})` : said;
}
