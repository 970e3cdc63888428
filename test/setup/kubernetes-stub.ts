// A stub of a Kubernetes API server, not one: no release of Kubernetes runs here. It keeps to the rules of the API that
// releases rely on (TLS, tokens, discovery, server-side apply with owners of fields, dry runs, lists in pages, watches
// with bookmarks and 410, deletes with preconditions), plays the controllers of workloads, and refuses all else.
import { execFileSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { createPodRunner, type PodNode, type PodRunner } from "./kubernetes-pods.ts";

type Value = ReturnType<typeof JSON.parse>;
interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly resource: string;
  readonly namespaced: boolean;
}
interface Kept {
  object: Value;
  /** Manager → path of a field, as JSON → its value when it was written. */
  readonly owners: Map<string, Set<string>>;
}

const KINDS: readonly Kind[] = [
  ...["ConfigMap", "Secret", "Service", "ServiceAccount", "Pod", "Event", "PersistentVolumeClaim"].map((kind) => ({
    apiVersion: "v1",
    kind,
  })),
  ...["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"].map((kind) => ({ apiVersion: "apps/v1", kind })),
  ...["Job", "CronJob"].map((kind) => ({ apiVersion: "batch/v1", kind })),
  { apiVersion: "v1", kind: "Namespace", namespaced: false },
  { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", namespaced: false },
].map((one) => ({ namespaced: true, resource: `${one.kind.toLowerCase()}s`, ...one }));
const TOP = /^(apiVersion|kind|metadata|spec|data|stringData|type|immutable|rules|subjects|roleRef)$/;
const META = /^(name|namespace|labels|annotations|ownerReferences)$/;
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const HISTORY = 1000;

export interface KubernetesStub {
  readonly url: string;
  /** PEM. */
  readonly authority: string;
  readonly token: string;
  /** Each request as `METHOD /path?query`. */
  readonly requests: string[];
  /** Text of a kubeconfig for it. */
  kubeconfig(changes?: { readonly user?: object; readonly cluster?: object }): string;
  find(kind: string, name: string): Value;
  /** All objects of a kind. */
  all(kind: string): readonly Value[];
  /** Changes fields as another manager, with force: what `kubectl edit` does. */
  edit(kind: string, name: string, manager: string, change: (object: Value) => void): void;
  /** Makes an object that nobody manages. */
  create(kind: string, object: object): void;
  remove(kind: string, name: string): void;
  /** The next requests are answered so. */
  failNext(count: number, status: number, retryAfterS?: number): void;
  setToken(token: string): void;
  /** Ends all open watches. */
  dropWatches(): void;
  /** Watches from before now are told 410. */
  forgetHistory(): void;
  readonly openWatches: number;
  /** Where jobs really run: what becomes of their pods. */
  readonly pods: PodRunner;
  /** Bodies of what was made, as they were sent. */
  readonly made: readonly Value[];
}

function certificates(folder: string): { key: string; cert: string; ca: string } {
  mkdirSync(folder, { recursive: true });
  const run = (...words: string[]): void => void execFileSync("openssl", words, { cwd: folder, stdio: "pipe" });
  run(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=stub-ca",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
  );
  run(
    "req",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-subj",
    "/CN=stub",
    "-keyout",
    "tls.key",
    "-out",
    "tls.csr",
  );
  writeFileSync(join(folder, "names"), "subjectAltName=IP:127.0.0.1,DNS:kubernetes.default.svc\n");
  run(
    "x509",
    "-req",
    "-in",
    "tls.csr",
    "-CA",
    "ca.crt",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-days",
    "2",
    "-extfile",
    "names",
    "-out",
    "tls.crt",
  );
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  return { key: read("tls.key"), cert: read("tls.crt"), ca: read("ca.crt") };
}

/** Fields without fields below; elements of lists with names are found by them, other lists are one value. */
function leavesOf(value: Value, path: readonly string[] = []): [string, Value][] {
  if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item?.name === "string"))
    return value.flatMap((item) => leavesOf(item, [...path, `[${item.name}]`]));
  if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0)
    return Object.entries(value).flatMap(([key, item]) => leavesOf(item, [...path, key]));
  return [[JSON.stringify(path), value]];
}

function step(holder: Value, part: string, make: boolean): Value {
  if (!part.startsWith("[")) return part;
  const name = part.slice(1, -1);
  const index = holder.findIndex((item: Value) => item.name === name);
  if (index >= 0 || !make) return index;
  holder.push({ name });
  return holder.length - 1;
}

function setLeaf(root: Value, path: readonly string[], value: Value): void {
  let holder = root;
  for (const [depth, part] of path.entries()) {
    const key = step(holder, part, true);
    if (depth === path.length - 1) holder[key] = structuredClone(value);
    else holder = holder[key] ??= path[depth + 1]?.startsWith("[") ? [] : {};
  }
}

function dropLeaf(root: Value, path: readonly string[]): void {
  const [part, ...rest] = path;
  if (part === undefined || root === undefined) return;
  const key = step(root, part, false);
  if (key === -1 || root[key] === undefined) return;
  if (rest.length > 0) dropLeaf(root[key], rest);
  const left = root[key];
  const isEmpty =
    typeof left === "object" && left !== null && Object.keys(left).filter((one) => one !== "name").length === 0;
  if (rest.length > 0 && !isEmpty) return;
  if (Array.isArray(root)) root.splice(key, 1);
  else delete root[key];
}

/** Starts one on a free port; it ends after the current suite. */
export async function startKubernetesStub(
  folder: string,
  {
    namespace = "shop",
    nodes = [],
    page: largestPage = 2,
    quota = Infinity,
  }: {
    readonly namespace?: string;
    /** Jobs run their pods' commands on these; none: their images say how they go. */
    readonly nodes?: readonly PodNode[];
    readonly page?: number;
    /** How many pods the namespace may have. */
    readonly quota?: number;
  } = {},
): Promise<KubernetesStub> {
  const { key, cert, ca } = certificates(folder);
  const store = new Map<string, Kept>();
  const history: { version: number; kind: Kind; type: string; object: Value }[] = [];
  const watchers = new Set<{ kind: Kind; chosen: (object: Value) => boolean; response: ServerResponse }>();
  const made: Value[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const requests: string[] = [];
  let token = randomBytes(24).toString("hex");
  let version = 1000;
  let oldest = 0;
  let failures: { status: number; retryAfterS: number | undefined }[] = [];

  const kindOf = (kind: string): Kind => KINDS.find((one) => one.kind === kind) ?? assertNo(`no kind ${kind}`);
  const keyOf = (kind: string, name: string): string => `${kind}/${name}`;
  const later = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
  };
  const tell = (kind: Kind, type: string, object: Value): void => {
    history.push({ version, kind, type, object: structuredClone(object) });
    if (history.length > HISTORY) oldest = history.shift()?.version ?? oldest;
    for (const watcher of watchers)
      if (watcher.kind === kind && watcher.chosen(object))
        watcher.response.write(`${JSON.stringify({ type, object })}\n`);
  };
  const save = (kind: Kind, kept: Kept, type: "ADDED" | "MODIFIED"): void => {
    kept.object.metadata.resourceVersion = String(++version);
    store.set(keyOf(kind.kind, kept.object.metadata.name), kept);
    tell(kind, type, kept.object);
  };
  const create = (kind: string, object: Value): Value => {
    const made = {
      ...object,
      apiVersion: kindOf(kind).apiVersion,
      kind,
      metadata: { namespace, uid: randomUUID(), creationTimestamp: new Date().toISOString(), ...object.metadata },
    };
    save(kindOf(kind), { object: made, owners: new Map() }, "ADDED");
    return made;
  };
  const setStatus = (kind: string, name: string, status: Value): void => {
    const kept = store.get(keyOf(kind, name));
    if (kept === undefined) return;
    kept.object.status = { ...kept.object.status, ...status };
    save(kindOf(kind), kept, "MODIFIED");
  };
  const drop = (kind: string, name: string): void => {
    const kept = store.get(keyOf(kind, name));
    if (kept === undefined) return;
    store.delete(keyOf(kind, name));
    kept.object.metadata.resourceVersion = String(++version);
    tell(kindOf(kind), "DELETED", kept.object);
    for (const { object } of Array.from(store.values()))
      if (object.metadata.ownerReferences?.some(({ uid }: Value) => uid === kept.object.metadata.uid))
        remove(object.kind, object.metadata.name);
  };
  const pods = createPodRunner(
    {
      find: (kind, name) => store.get(keyOf(kind, name))?.object,
      all: (kind) => [...store.values()].map(({ object }) => object).filter((object) => object.kind === kind),
      create: (kind, object) => create(kind, object),
      touch: (kind, name) => {
        const kept = store.get(keyOf(kind, name));
        if (kept !== undefined) save(kindOf(kind), kept, "MODIFIED");
      },
      drop: (kind, name) => drop(kind, name),
    },
    { folder, nodes },
  );
  /** As a client deletes: what runs gets its time. */
  const remove = (kind: string, name: string): void => {
    const object = store.get(keyOf(kind, name))?.object;
    if (kind === "Pod" && nodes.length > 0 && object !== undefined) pods.remove(object);
    else drop(kind, name);
  };

  /** What the controllers of workloads would do; the image says how it goes. */
  const control = (kind: string, object: Value): void => {
    const { name, generation, uid } = object.metadata;
    const image = String(object.spec?.template?.spec?.containers?.[0]?.image ?? "");
    const wanted = object.spec?.replicas ?? 1;
    const isStill = (): boolean => store.get(keyOf(kind, name))?.object.metadata.generation === generation;
    if (kind === "Job" && nodes.length > 0) {
      if ([...store.values()].filter((kept) => kept.object.kind === "Pod").length < quota) return pods.start(object);
      return void create("Event", {
        metadata: { name: `${name}-quota` },
        involvedObject: { uid },
        type: "Warning",
        reason: "FailedCreate",
        message: `Error creating: pods "${name}" is forbidden: exceeded quota: few`,
        lastTimestamp: new Date().toISOString(),
      });
    }
    if (kind === "Job") {
      const type = image.includes("crash") ? "Failed" : "Complete";
      const reason = type === "Failed" ? "BackoffLimitExceeded" : "CompletionsReached";
      return later(50, () =>
        setStatus(kind, name, {
          succeeded: 1,
          conditions: [{ type, status: "True", reason, message: "said by the stub" }],
        }),
      );
    }
    if (kind === "StatefulSet")
      return later(50, () =>
        setStatus(kind, name, {
          observedGeneration: generation,
          updatedReplicas: wanted,
          readyReplicas: wanted,
          currentRevision: "r",
          updateRevision: "r",
        }),
      );
    if (kind !== "Deployment") return;
    const kept = store.get(keyOf(kind, name));
    const revision = String(Number(kept?.object.metadata.annotations?.["deployment.kubernetes.io/revision"] ?? 0) + 1);
    if (kept !== undefined) (kept.object.metadata.annotations ??= {})["deployment.kubernetes.io/revision"] = revision;
    const labels = object.spec.template.metadata.labels;
    const set = create("ReplicaSet", {
      metadata: {
        name: `${name}-${generation}`,
        labels,
        annotations: { "deployment.kubernetes.io/revision": revision },
        ownerReferences: [{ kind, uid, name }],
      },
      spec: { replicas: wanted },
    });
    const container = object.spec.template.spec.containers[0].name;
    const status = image.includes("crash")
      ? {
          containerStatuses: [
            {
              name: container,
              restartCount: 4,
              state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 40s restarting failed container" } },
              lastState: { terminated: { exitCode: 3, reason: "Error" } },
            },
          ],
        }
      : image.includes("absent")
        ? {
            containerStatuses: [
              {
                name: container,
                restartCount: 0,
                state: { waiting: { reason: "ImagePullBackOff", message: `Back-off pulling image "${image}"` } },
              },
            ],
          }
        : { phase: "Running" };
    create("Pod", {
      metadata: {
        name: `${name}-${generation}-x`,
        labels,
        ownerReferences: [{ kind: "ReplicaSet", uid: set.metadata.uid }],
      },
      status,
    });
    later(20, () =>
      setStatus(kind, name, {
        observedGeneration: generation,
        replicas: wanted + 1,
        updatedReplicas: 1,
        availableReplicas: wanted,
      }),
    );
    if (image.includes("crash") || image.includes("absent")) return;
    if (image.includes("stuck"))
      return later(200, () =>
        setStatus(kind, name, {
          conditions: [
            {
              type: "Progressing",
              status: "False",
              reason: "ProgressDeadlineExceeded",
              lastUpdateTime: new Date().toISOString(),
              message: `ReplicaSet "${name}-${generation}" has timed out progressing.`,
            },
          ],
        }),
      );
    later(image.includes("slow") ? 2500 : 80, () => {
      if (!isStill()) return;
      setStatus(kind, name, {
        replicas: wanted,
        updatedReplicas: wanted,
        readyReplicas: wanted,
        availableReplicas: wanted,
        conditions: [],
      });
      for (const { object: other } of Array.from(store.values()))
        if (
          other.kind === "ReplicaSet" &&
          other.metadata.ownerReferences?.[0]?.uid === uid &&
          other.metadata.uid !== set.metadata.uid
        )
          drop("ReplicaSet", other.metadata.name);
    });
  };

  const write = (
    kind: Kind,
    name: string,
    facts: { manager: string; applied: Value; isForced: boolean; isTrial: boolean },
  ): Value => {
    const { manager, applied, isForced, isTrial } = facts;
    const before = store.get(keyOf(kind.kind, name));
    const object = structuredClone(
      before?.object ?? { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name } },
    );
    const owners = new Map([...(before?.owners ?? [])].map(([one, fields]) => [one, new Set(fields)]));
    const leaves = new Map(
      leavesOf(applied).filter(([path]) => !/^\["(apiVersion|kind)"|^\["metadata","(name|namespace)"/.test(path)),
    );
    const now = new Map(leavesOf(object));
    const causes = [...leaves].flatMap(([path, value]) =>
      isDeepStrictEqual(now.get(path), value)
        ? []
        : [...owners]
            .filter(([other, fields]) => other !== manager && fields.has(path))
            .map(([other]) => ({ path, other })),
    );
    if (causes.length > 0 && !isForced)
      throw new Refusal(
        409,
        "Conflict",
        `Apply failed with ${causes.length} conflict`,
        causes.map(({ path, other }) => ({
          reason: "FieldManagerConflict",
          message: `conflict with "${other}" using ${kind.apiVersion}`,
          field: `.${JSON.parse(path).join(".")}`,
        })),
      );
    for (const { path, other } of causes) owners.get(other)?.delete(path);
    for (const path of owners.get(manager) ?? [])
      if (!leaves.has(path) && ![...owners].some(([other, fields]) => other !== manager && fields.has(path)))
        dropLeaf(object, JSON.parse(path));
    for (const [path, value] of leaves) setLeaf(object, JSON.parse(path), value);
    owners.set(manager, new Set(leaves.keys()));
    object.metadata.namespace = kind.namespaced ? namespace : undefined;
    const isSame = before !== undefined && isDeepStrictEqual(strip(before.object), strip(object));
    if (isSame) {
      if (!isTrial) before.owners.set(manager, new Set(leaves.keys()));
      return before.object;
    }
    object.metadata.uid ??= randomUUID();
    object.metadata.creationTimestamp ??= new Date().toISOString();
    const isChanged = !isDeepStrictEqual(before?.object.spec, object.spec);
    object.metadata.generation = (before?.object.metadata.generation ?? 0) + (isChanged ? 1 : 0);
    object.metadata.managedFields = [...owners.keys()].map((one) => ({
      manager: one,
      operation: "Apply",
      fieldsType: "FieldsV1",
      fieldsV1: {},
    }));
    if (isTrial) return object;
    save(kind, { object, owners }, before === undefined ? "ADDED" : "MODIFIED");
    if (isChanged) control(kind.kind, object);
    return object;
  };

  const apply = (
    kind: Kind,
    name: string,
    query: URLSearchParams,
    sent: { type: string | undefined; text: string },
  ): Value => {
    if (sent.type !== "application/apply-patch+yaml")
      throw new Refusal(415, "UnsupportedMediaType", "apply needs application/apply-patch+yaml");
    const manager = query.get("fieldManager");
    if (manager === null || manager === "")
      throw new Refusal(400, "BadRequest", "fieldManager is required for apply patch");
    if (!["true", "false", null].includes(query.get("force")))
      throw new Refusal(400, "BadRequest", "force is no boolean");
    if (!["All", null].includes(query.get("dryRun"))) throw new Refusal(400, "BadRequest", "dryRun is not All");
    const applied = JSON.parse(sent.text);
    if (applied.apiVersion !== kind.apiVersion || applied.kind !== kind.kind || applied.metadata?.name !== name)
      throw new Refusal(400, "BadRequest", "the object in the body is not that of the path");
    if (kind.namespaced && applied.metadata.namespace !== namespace)
      throw new Refusal(400, "BadRequest", "the namespace of the object is not that of the path");
    const strange = [
      ...Object.keys(applied).filter((one) => !TOP.test(one)),
      ...Object.keys(applied.metadata).filter((one) => !META.test(one)),
    ];
    if (strange.length > 0) throw new Refusal(422, "Invalid", `unknown field "${strange[0]}"`);
    checkLabels(applied.metadata.labels);
    if (kind.kind === "Deployment") {
      const labels = applied.spec?.template?.metadata?.labels ?? {};
      const selector = Object.entries(applied.spec?.selector?.matchLabels ?? {});
      if (selector.length === 0 || selector.some(([one, value]) => labels[one] !== value))
        throw new Refusal(422, "Invalid", "spec.selector does not match template labels");
      if (!["number", "undefined"].includes(typeof applied.spec.replicas))
        throw new Refusal(422, "Invalid", "spec.replicas is no number");
    }
    return write(kind, name, {
      manager,
      applied,
      isForced: query.get("force") === "true",
      isTrial: query.get("dryRun") === "All",
    });
  };

  /** Makes an object, as a client does. */
  const post = (kind: Kind, query: URLSearchParams, sent: { type: string | undefined; text: string }): Value => {
    if (sent.type !== "application/json") throw new Refusal(415, "UnsupportedMediaType", "expected JSON");
    if (query.get("fieldManager") === null) throw new Refusal(400, "BadRequest", "the stub wants a fieldManager");
    const object = JSON.parse(sent.text);
    if (object.apiVersion !== kind.apiVersion || object.kind !== kind.kind)
      throw new Refusal(400, "BadRequest", "the object in the body is not that of the path");
    if (object.metadata?.namespace !== namespace)
      throw new Refusal(400, "BadRequest", "the namespace of the object is not that of the path");
    const { name } = object.metadata;
    if (typeof name !== "string" || !NAME.test(name)) throw new Refusal(422, "Invalid", `metadata.name: ${name}`);
    const strange = [
      ...Object.keys(object).filter((one) => !TOP.test(one)),
      ...Object.keys(object.metadata).filter((one) => !META.test(one)),
    ];
    if (strange.length > 0) throw new Refusal(422, "Invalid", `unknown field "${strange[0]}"`);
    checkLabels(object.metadata.labels);
    for (const owner of object.metadata.ownerReferences ?? [])
      for (const field of ["apiVersion", "kind", "name", "uid"])
        if (typeof owner[field] !== "string" || owner[field] === "")
          throw new Refusal(422, "Invalid", `metadata.ownerReferences.${field}: Required value`);
    if (kind.kind === "Job") checkJob(object);
    if (store.has(keyOf(kind.kind, name)))
      throw new Refusal(409, "AlreadyExists", `${kind.resource} "${name}" already exists`);
    made.push(structuredClone(object));
    const { stringData, ...kept } = object;
    const data = Object.entries(stringData ?? {}).map(([key, value]) => [
      key,
      Buffer.from(String(value)).toString("base64"),
    ]);
    const done = create(kind.kind, {
      ...kept,
      ...(stringData === undefined ? {} : { data: Object.fromEntries(data) }),
    });
    control(kind.kind, done);
    return done;
  };

  const choose = (query: URLSearchParams): ((object: Value) => boolean) => {
    const fields = query.get("fieldSelector") ?? "";
    const name = /^metadata\.name=(.+)$/.exec(fields)?.[1];
    const of = /^involvedObject\.uid=(.+)$/.exec(fields)?.[1];
    if (fields !== "" && name === undefined && of === undefined)
      throw new Refusal(400, "BadRequest", `field label not supported: ${fields}`);
    const labels = (query.get("labelSelector") ?? "")
      .split(",")
      .filter((one) => one !== "")
      .map((one) => one.split("="));
    return (object) =>
      (name === undefined || object.metadata.name === name) &&
      (of === undefined || object.involvedObject?.uid === of) &&
      labels.every(([one, value]) => object.metadata.labels?.[one ?? ""] === value);
  };

  const list = (kind: Kind, query: URLSearchParams): Value => {
    const chosen = choose(query);
    const found = [...store.values()]
      .map(({ object }) => object)
      .filter((object) => object.kind === kind.kind && chosen(object));
    const from = Number(query.get("continue") ?? 0);
    // Smaller pages than asked for are allowed.
    const page = Math.min(Number(query.get("limit") ?? 500), largestPage);
    const more = from + page < found.length ? { continue: String(from + page) } : {};
    const items = found.slice(from, from + page).map((item) => ({ ...item, apiVersion: undefined, kind: undefined }));
    return {
      apiVersion: kind.apiVersion,
      kind: `${kind.kind}List`,
      metadata: { resourceVersion: String(version), ...more },
      items,
    };
  };

  const watch = (kind: Kind, query: URLSearchParams, response: ServerResponse): void => {
    const chosen = choose(query);
    if (!query.has("fieldSelector") && !query.has("labelSelector")) assertNo("watches are of something");
    if (query.get("allowWatchBookmarks") !== "true" || query.get("timeoutSeconds") === null)
      throw new Refusal(400, "BadRequest", "a watch asks for bookmarks and an end");
    const from = Number(query.get("resourceVersion"));
    response.writeHead(200, { "content-type": "application/json", "transfer-encoding": "chunked" });
    if (from < oldest) {
      response.end(
        `${JSON.stringify({ type: "ERROR", object: statusOf(410, "Expired", `too old resource version: ${from} (${oldest})`) })}\n`,
      );
      return;
    }
    for (const event of history)
      if (event.version > from && event.kind === kind && chosen(event.object))
        response.write(`${JSON.stringify({ type: event.type, object: event.object })}\n`);
    response.write(
      `${JSON.stringify({ type: "BOOKMARK", object: { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { resourceVersion: String(version), creationTimestamp: null } } })}\n`,
    );
    const watcher = { kind, chosen, response };
    watchers.add(watcher);
    response.once("close", () => watchers.delete(watcher));
  };

  const answer = (request: IncomingMessage, response: ServerResponse, text: string): void => {
    const url = new URL(request.url ?? "/", "https://stub");
    const send = (status: number, body: Value, headers: Record<string, string> = {}): void => {
      response
        .writeHead(status, { "content-type": "application/json", ...headers })
        .end(typeof body === "string" ? body : JSON.stringify(body));
    };
    requests.push(`${request.method} ${request.url}`);
    try {
      const failure = failures.shift();
      if (failure !== undefined)
        return send(
          failure.status,
          statusOf(failure.status, "Failure", "asked for by a test"),
          failure.retryAfterS === undefined ? {} : { "retry-after": String(failure.retryAfterS) },
        );
      if (request.headers.authorization !== `Bearer ${token}`) throw new Refusal(401, "Unauthorized", "Unauthorized");
      const [, group, place, resource, name, below] =
        /^\/(api\/v1|apis\/[\w.]+\/\w+)(?:\/namespaces\/([^/]+))?(?:\/([a-z]+))?(?:\/([^/]+))?(\/log)?$/.exec(
          url.pathname,
        ) ?? [];
      if (group === undefined) throw new Refusal(404, "NotFound", "the server could not find the requested resource");
      const apiVersion = group.replace(/^apis?\//, "");
      const kinds = KINDS.filter((one) => one.apiVersion === apiVersion);
      if (kinds.length === 0) throw new Refusal(404, "NotFound", "the server could not find the requested resource");
      if (resource === undefined)
        return send(200, {
          kind: "APIResourceList",
          resources: kinds.map((one) => ({
            name: one.resource,
            kind: one.kind,
            namespaced: one.namespaced,
            verbs: [],
          })),
        });
      const kind = kinds.find((one) => one.resource === resource);
      if (kind === undefined) throw new Refusal(404, "NotFound", `no resource ${resource}`);
      if (kind.namespaced !== (place !== undefined))
        throw new Refusal(404, "NotFound", "the path has a namespace too many, or none");
      if (place !== undefined && place !== namespace)
        throw new Refusal(403, "Forbidden", `the account may not reach the namespace "${place}"`);
      const parameters: Readonly<Record<string, readonly string[]>> = {
        GET: [
          "watch",
          "fieldSelector",
          "labelSelector",
          "resourceVersion",
          "allowWatchBookmarks",
          "timeoutSeconds",
          "limit",
          "continue",
          "container",
          "previous",
          "tailLines",
          "limitBytes",
        ],
        POST: ["fieldManager"],
        PATCH: ["fieldManager", "force", "dryRun"],
        DELETE: [],
      };
      const allowed = parameters[request.method ?? ""];
      const strange = [...url.searchParams.keys()].find((one) => !allowed?.includes(one));
      if (allowed === undefined || strange !== undefined)
        throw new Refusal(400, "BadRequest", `${request.method} ${strange}`);
      const kept = name === undefined ? undefined : store.get(keyOf(kind.kind, decodeURIComponent(name)));
      if (below !== undefined)
        return send(200, nodes.length > 0 ? pods.logOf(name ?? "") : "starting\nboom: cannot open /data\n");
      if (request.method === "GET" && name === undefined)
        return url.searchParams.get("watch") === "true"
          ? watch(kind, url.searchParams, response)
          : send(200, list(kind, url.searchParams));
      if (request.method === "POST" && name === undefined)
        return send(201, post(kind, url.searchParams, { type: request.headers["content-type"], text }));
      if (name === undefined || request.method === "POST")
        throw new Refusal(405, "MethodNotAllowed", "only objects are changed");
      if (request.method === "PATCH")
        return send(
          kept === undefined ? 201 : 200,
          apply(kind, decodeURIComponent(name), url.searchParams, { type: request.headers["content-type"], text }),
        );
      if (kept === undefined) throw new Refusal(404, "NotFound", `${kind.resource} "${name}" not found`);
      if (request.method === "GET") return send(200, kept.object);
      const options = JSON.parse(text);
      if (options.kind !== "DeleteOptions" || options.propagationPolicy !== "Background")
        throw new Refusal(400, "BadRequest", "expected DeleteOptions");
      if (options.preconditions?.uid !== kept.object.metadata.uid)
        throw new Refusal(409, "Conflict", "the UID in the precondition does not match");
      remove(kind.kind, kept.object.metadata.name);
      return send(200, { kind: "Status", status: "Success" });
    } catch (error) {
      if (!(error instanceof Refusal)) return send(500, statusOf(500, "InternalError", String(error)));
      send(error.status, statusOf(error.status, error.reason, error.message, error.causes));
    }
  };

  const server = createServer({ key, cert, minVersion: "TLSv1.2" }, (request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    request.on("end", () => answer(request, response, text));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  after(() => {
    for (const timer of timers) clearTimeout(timer);
    pods.stop();
    server.closeAllConnections();
    server.close();
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    authority: ca,
    get token() {
      return token;
    },
    requests,
    kubeconfig: ({ user = { token }, cluster = {} } = {}) =>
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "stub",
        clusters: [
          {
            name: "c",
            cluster: { server: url, "certificate-authority-data": Buffer.from(ca).toString("base64"), ...cluster },
          },
        ],
        contexts: [{ name: "stub", context: { cluster: "c", user: "u" } }],
        users: [{ name: "u", user }],
      }),
    find: (kind, name) => store.get(keyOf(kind, name))?.object,
    all: (kind) => [...store.values()].map(({ object }) => object).filter((object) => object.kind === kind),
    edit: (kind, name, manager, change) => {
      const kept = store.get(keyOf(kind, name)) ?? assertNo(`no ${kind}/${name}`);
      const { apiVersion, metadata, spec, data } = structuredClone(kept.object);
      const before = new Map(leavesOf({ spec, data }));
      const changed = { spec, data };
      change(changed);
      const leaves = leavesOf(JSON.parse(JSON.stringify(changed))).filter(
        ([path, value]) => !isDeepStrictEqual(before.get(path), value),
      );
      const applied = { apiVersion, kind, metadata: { name: metadata.name } };
      for (const [path, value] of leaves) setLeaf(applied, JSON.parse(path), value);
      write(kindOf(kind), name, { manager, applied, isForced: true, isTrial: false });
    },
    create: (kind, object) => void create(kind, object),
    remove,
    pods,
    made,
    failNext: (count, status, retryAfterS) => {
      failures = Array.from({ length: count }, () => ({ status, retryAfterS }));
    },
    setToken: (next) => {
      token = next;
    },
    dropWatches: () => {
      for (const { response } of watchers) response.end();
      watchers.clear();
    },
    forgetHistory: () => {
      oldest = version + 1;
      version += 1;
    },
    get openWatches() {
      return watchers.size;
    },
  };
}

function checkLabels(labels: Value): void {
  for (const [key, value] of Object.entries({ ...labels })) {
    if (!/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(key))
      throw new Refusal(422, "Invalid", `label key ${key} is invalid`);
    if (typeof value !== "string" || !/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/.test(value))
      throw new Refusal(422, "Invalid", `label ${String(value)} is invalid`);
  }
}

const JOB_FIELDS = "backoffLimit completions parallelism ttlSecondsAfterFinished template".split(" ");
const POD_FIELDS =
  "restartPolicy terminationGracePeriodSeconds automountServiceAccountToken enableServiceLinks serviceAccountName priorityClassName nodeSelector tolerations imagePullSecrets securityContext containers volumes".split(
    " ",
  );
const CONTAINER_FIELDS = "name image command env resources securityContext volumeMounts".split(" ");

function checkJob({ spec }: Value): void {
  const pod = spec?.template?.spec;
  const invalid = (message: string): never => {
    throw new Refusal(422, "Invalid", message);
  };
  const known = (object: Value, fields: readonly string[], place: string): void => {
    const strange = Object.keys(object ?? {}).find((field) => !fields.includes(field));
    if (strange !== undefined) invalid(`unknown field "${place}.${strange}"`);
  };
  known(spec, JOB_FIELDS, "spec");
  known(pod, POD_FIELDS, "spec.template.spec");
  if (!["Never", "OnFailure"].includes(pod?.restartPolicy)) invalid("restartPolicy: Required value");
  if (!Array.isArray(pod.containers) || pod.containers.length === 0) invalid("containers: Required value");
  checkLabels(spec.template.metadata?.labels);
  for (const container of pod.containers) {
    known(container, CONTAINER_FIELDS, "containers[0]");
    for (const { name, value, valueFrom } of container.env ?? [])
      if ((value === undefined) === (valueFrom === undefined)) invalid(`env ${name}: value or valueFrom`);
    for (const { name } of container.volumeMounts ?? [])
      if (!pod.volumes?.some((volume: Value) => volume.name === name)) invalid(`volumeMounts: ${name} not found`);
    const { requests = {}, limits = {} } = container.resources ?? {};
    for (const [name, amount] of Object.entries({ ...requests, ...limits }))
      if (!/^\d+(\.\d+)?(m|Ki|Mi|Gi)?$/.test(String(amount))) invalid(`resources.${name}: ${String(amount)}`);
    // Devices are whole, and asked for as much as they are bounded.
    if (requests["nvidia.com/gpu"] !== limits["nvidia.com/gpu"]) invalid("nvidia.com/gpu: must be equal to its limit");
  }
}

class Refusal extends Error {
  readonly status: number;
  readonly reason: string;
  readonly causes: readonly object[];
  constructor(status: number, reason: string, message: string, causes: readonly object[] = []) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.causes = causes;
  }
}

function statusOf(code: number, reason: string, message: string, causes: readonly object[] = []): object {
  return {
    apiVersion: "v1",
    kind: "Status",
    status: "Failure",
    message,
    reason,
    code,
    ...(causes.length === 0 ? {} : { details: { causes } }),
  };
}

function assertNo(message: string): never {
  throw new Error(message);
}

function strip(object: Value): Value {
  return JSON.parse(
    JSON.stringify({ ...object, metadata: { ...object.metadata, managedFields: null, resourceVersion: null } }),
  );
}
