import type { Digest } from "#base";
import {
  type AssetVersion,
  getAssetVersion,
  getVersionGraph,
  listAssetVersions,
  type MetadataStore,
} from "#metadata-store";
import { listApprovalRows, type StoredApproval } from "#metadata-store/governance";
import type { Predictions } from "#predictions";
import { commitOf, sourceDigestOf } from "./approval-subject.ts";
import { traceUnknown } from "./errors.ts";

export const TRACE_NODE_KINDS = [
  "data",
  "features",
  "notebook",
  "model",
  "code",
  "report",
  "source_file",
  "commit",
  "prediction",
] as const;

/** One thing in a lineage. */
export interface TraceNode {
  /** Asset version id, commit id, prediction id, or `file:<path>@<digest>`. */
  readonly id: string;
  readonly kind: (typeof TRACE_NODE_KINDS)[number];
  /** Asset name, path, or short commit id. */
  readonly label: string;
  readonly version?: number;
  readonly digest?: string;
  readonly atMs?: number;
  readonly rowCount?: number;
  readonly pipelineRunId?: string;
  readonly stepRunId?: string;
}

/** A step of the way back. */
export interface ChainNode extends TraceNode {
  /** It stands for so many files, and names none of them. */
  readonly fileCount?: number;
  /** It stands for more files than `fileCount`: they were not counted to the end. */
  readonly hasMoreFiles?: boolean;
}

/** Everything that something was made from, up to captured files and commits. */
export interface Trace {
  /** Id of what was asked about. */
  readonly root: string;
  readonly nodes: readonly TraceNode[];
  /** `from` is what was read, `to` what was made of it. */
  readonly edges: readonly { readonly from: string; readonly to: string; readonly role: string }[];
  /** True when the graph is larger than what is returned. */
  readonly truncated: boolean;
  /** The way back in one line of ids: prediction, model version, training data, …, captured file or files, commit. */
  readonly chain: readonly ChainNode[];
  /** Digests of the notebook sources that had a part in it. */
  readonly notebookDigests: readonly Digest[];
  /** Standing approvals of the versions and notebook sources. */
  readonly approvals: readonly StoredApproval[];
}

const LARGEST_FILE_LIST = 1000;
const MOST_LATER = 200;
/** What leads from a version to a later one of its dataset that still holds its rows. */
const CONTAINED = "contained in";

/**
 * Where a version came from.
 *
 * @throws GOVERNANCE_TRACE_UNKNOWN
 */
export async function traceVersion(store: MetadataStore, versionId: string): Promise<Trace> {
  const version = await store.read((transaction) => getAssetVersion(transaction, { id: versionId }));
  if (version === undefined) throw traceUnknown({ kind: "asset version", id: versionId });
  return trace(store, version);
}

/**
 * The version that a person names: an id, an asset (its latest version), or `asset@version`.
 *
 * @throws GOVERNANCE_TRACE_UNKNOWN
 */
export async function findNamedVersion(
  store: MetadataStore,
  named: { readonly project: string; readonly reference: string },
): Promise<AssetVersion> {
  const [, asset = named.reference, number] = /^(.+)@(\d{1,9})$/.exec(named.reference) ?? [];
  const found = await store.read(async (transaction) => {
    const known = await getAssetVersion(transaction, { id: named.reference });
    return (
      known ??
      getAssetVersion(transaction, {
        project: named.project,
        asset,
        ...(number === undefined ? {} : { version: Number(number) }),
      })
    );
  });
  if (found === undefined) throw traceUnknown({ kind: "asset version", id: named.reference });
  return found;
}

/**
 * Where a prediction came from: the version that answered, and all that it was made from.
 *
 * @throws GOVERNANCE_TRACE_UNKNOWN
 */
export async function tracePrediction(
  { store, predictions }: { readonly store: MetadataStore; readonly predictions: Pick<Predictions, "get"> },
  predictionId: string,
): Promise<Trace> {
  const prediction = await predictions.get(predictionId);
  if (prediction === undefined) throw traceUnknown({ kind: "prediction", id: predictionId });
  const upstream = await traceVersion(store, prediction.modelVersionId);
  const node: TraceNode = {
    id: prediction.id,
    kind: "prediction",
    label: `${prediction.endpoint} (${prediction.environment})`,
    atMs: prediction.atMs,
  };
  return {
    ...upstream,
    root: prediction.id,
    nodes: [node, ...upstream.nodes],
    edges: [{ from: prediction.modelVersionId, to: prediction.id, role: "answered" }, ...upstream.edges],
    chain: [node, ...upstream.chain],
  };
}

/** Everything that was made of a version, itself included. @throws GOVERNANCE_TRACE_UNKNOWN */
export async function traceDownstream(store: MetadataStore, versionId: string): Promise<Trace> {
  const version = await store.read((transaction) => getAssetVersion(transaction, { id: versionId }));
  if (version === undefined) throw traceUnknown({ kind: "asset version", id: versionId });
  const { later, isAll } = await laterContaining(store, version);
  const graphs = await Promise.all(
    [version, ...later].map(({ id }) => store.read((transaction) => getVersionGraph(transaction, id, "downstream"))),
  );
  const nodes = new Map(graphs.flatMap(({ versions }) => versions.map((each) => [each.id, toNode(each)] as const)));
  const edges = new Map(
    graphs.flatMap((graph) => graph.edges).map((edge) => [`${edge.from} ${edge.to} ${edge.role}`, edge]),
  );
  for (const { id } of later) edges.set(`${versionId} ${id}`, { from: versionId, to: id, role: CONTAINED });
  return {
    root: versionId,
    nodes: [...nodes.values()],
    edges: [...edges.values()],
    truncated: !isAll || graphs.some(({ truncated }) => truncated),
    chain: [toNode(version)],
    notebookDigests: [],
    approvals: [],
  };
}

/**
 * The rows of a version are in later versions of its dataset, until one replaces everything, or every file of it was
 * superseded.
 */
async function laterContaining(
  store: MetadataStore,
  root: AssetVersion,
): Promise<{ readonly later: readonly AssetVersion[]; readonly isAll: boolean }> {
  if (root.kind !== "data") return { later: [], isAll: true };
  const behind = await filesBehind(store, root);
  const files = new Set(behind.files.map(({ node }) => node.digest));
  const later: AssetVersion[] = [];
  const newer = await versionsAfter(store, root);
  for (const version of newer.versions) {
    const { disposition, dropped, restoredFrom, superseded } = version.content as CaptureRecord;
    if (
      disposition === undefined ||
      disposition === "replace" ||
      dropped === true ||
      (restoredFrom !== undefined && restoredFrom < root.version)
    )
      break;
    const before = files.size;
    for (const { digest } of superseded?.files ?? []) files.delete(digest);
    if (behind.isAll && before > 0 && files.size === 0) break;
    later.push(version);
  }
  return { later, isAll: newer.isAll || later.length < newer.versions.length };
}

/** The next versions of a dataset, oldest first, at most as many as a graph is made of. */
async function versionsAfter(
  store: MetadataStore,
  { project, asset, version: number }: AssetVersion,
): Promise<{ readonly versions: readonly AssetVersion[]; readonly isAll: boolean }> {
  const versions: AssetVersion[] = [];
  for (let next = number + 1; versions.length < MOST_LATER; next++) {
    const version = await store.read((transaction) => getAssetVersion(transaction, { project, asset, version: next }));
    if (version === undefined) return { versions, isAll: true };
    versions.push(version);
  }
  return { versions, isAll: false };
}

async function trace(store: MetadataStore, root: AssetVersion): Promise<Trace> {
  const graph = await store.read((transaction) => getVersionGraph(transaction, root.id, "upstream"));
  const behind = await Promise.all(graph.versions.map((version) => filesBehind(store, version)));
  const files = behind.flatMap((each) => each.files);
  const uncounted = new Set(graph.versions.flatMap(({ id }, index) => (behind[index]?.isAll === false ? [id] : [])));
  const commits = graph.versions.flatMap((version) => {
    const commit = commitOf(version);
    return commit === undefined ? [] : [{ versionId: version.id, commit }];
  });
  const commitNodes = new Map(
    commits.map(({ commit }) => [
      commit.id,
      {
        id: commit.id,
        kind: "commit" as const,
        label: `${commit.id.slice(0, 10)}${commit.dirty ? " with uncommitted changes" : ""}`,
      },
    ]),
  );
  const shown = files.slice(0, LARGEST_FILE_LIST);
  const nodes = [...graph.versions.map(toNode), ...oneNodePerFile(shown), ...commitNodes.values()];
  const edges = [
    ...graph.edges,
    ...shown.map(({ node, versionId }) => ({ from: node.id, to: versionId, role: "captured" })),
    ...commits.map(({ versionId, commit }) => ({ from: commit.id, to: versionId, role: "commit" })),
  ];
  const notebookDigests = [
    ...new Set(
      graph.versions.flatMap((version) =>
        version.kind === "notebook" ? [version.digest] : (sourceDigestOf(version) ?? []),
      ),
    ),
  ];
  return {
    root: root.id,
    nodes: [...new Map(nodes.map((node) => [node.id, node])).values()],
    edges,
    truncated: graph.truncated || files.length > LARGEST_FILE_LIST,
    chain: chainOf(root, { versions: graph.versions, edges: graph.edges, files, uncounted, commits }),
    notebookDigests,
    approvals: await approvalsOf(store, root.project, [
      ...graph.versions.map(({ digest }) => digest),
      ...notebookDigests,
    ]),
  };
}

/** The way back along what each version was mainly made from, then its captured files, then the root's commit. */
function chainOf(
  root: AssetVersion,
  graph: {
    readonly versions: readonly AssetVersion[];
    readonly edges: Trace["edges"];
    readonly files: readonly CapturedNode[];
    /** Versions that hold more files than are known. */
    readonly uncounted: ReadonlySet<string>;
    readonly commits: readonly { readonly versionId: string; readonly commit: { readonly id: string } }[];
  },
): readonly ChainNode[] {
  const byId = new Map(graph.versions.map((version) => [version.id, version]));
  const seen = new Set<string>();
  const chain: ChainNode[] = [];
  let last = root;
  for (let current: AssetVersion | undefined = root; current !== undefined && !seen.has(current.id);) {
    seen.add(current.id);
    chain.push(toNode(current));
    last = current;
    // Its files are known: an earlier version of the same dataset holds fewer of their rows.
    if (graph.files.some(({ versionId }) => versionId === last.id)) break;
    const ranked: readonly { readonly version: AssetVersion; readonly rank: number }[] = graph.edges
      .filter(({ to }) => to === last.id)
      .flatMap(({ from, role }) => {
        const version = byId.get(from);
        return version === undefined ? [] : [{ version, rank: rank(version, role) }];
      })
      .filter((each) => each.rank < Infinity)
      .sort((left, right) => left.rank - right.rank || (left.version.id < right.version.id ? 1 : -1));
    current = ranked[0]?.version;
  }
  const link = fileLink(
    graph.files.filter(({ versionId }) => versionId === last.id),
    !graph.uncounted.has(last.id),
  );
  if (link !== undefined) chain.push(link);
  const commit = graph.commits.find(({ versionId }) => versionId === root.id) ?? graph.commits[0];
  if (commit !== undefined) chain.push({ id: commit.commit.id, kind: "commit", label: commit.commit.id.slice(0, 10) });
  return chain;
}

/**
 * One captured file is named; of several none is known to hold the rows in question, so that they stand together: how
 * many they are, and their rows.
 */
function fileLink(files: readonly CapturedNode[], isAll: boolean): ChainNode | undefined {
  const [first] = files;
  if (first === undefined || files.length === 1) return first?.node;
  const { digest: _, rowCount: __, ...node } = first.node;
  const id = `files:${first.versionId}`;
  if (!isAll) {
    const label = `one of more than ${LARGEST_FILE_LIST} files`;
    return { ...node, id, label, fileCount: LARGEST_FILE_LIST, hasMoreFiles: true };
  }
  const rows = files.reduce<number | undefined>(
    (sum, file) => (sum === undefined || file.node.rowCount === undefined ? undefined : sum + file.node.rowCount),
    0,
  );
  return {
    ...node,
    id,
    label: `one of ${files.length} files`,
    fileCount: files.length,
    ...(rows === undefined ? {} : { rowCount: rows }),
  };
}

/**
 * The spine of a join and other data lead back to the captured files; feature views are aggregates beside the main way.
 */
function rank(version: AssetVersion, role: string): number {
  if (role === "spine") return 0;
  if (version.kind === "data") return 1;
  return version.kind === "features" ? 2 : Infinity;
}

/**
 * A file's rows are those in the newest version of its dataset; where two datasets took different numbers of them, no
 * number is right.
 */
function oneNodePerFile(files: readonly CapturedNode[]): readonly TraceNode[] {
  return [...Map.groupBy(files, ({ node }) => node.id).values()].flatMap((same) => {
    const newest = [...Map.groupBy(same, ({ asset }) => asset).values()].map(
      (of) => of.reduce((best, each) => (each.version > best.version ? each : best)).node,
    );
    const [node] = newest;
    if (node === undefined || newest.every(({ rowCount }) => rowCount === node.rowCount)) return node ?? [];
    const { rowCount: _, ...rest } = node;
    return rest;
  });
}

interface CapturedNode {
  readonly node: TraceNode;
  readonly versionId: string;
  readonly asset: string;
  readonly version: number;
}

interface SourceFile {
  readonly path: string;
  readonly digest: string;
  readonly rows?: number;
}

/** What a dataset's content says of its source files. */
interface CaptureRecord {
  readonly captured?: readonly SourceFile[];
  /** Files of which rows were held back, and came with this version. */
  readonly replayed?: readonly SourceFile[];
  readonly disposition?: unknown;
  /** Earlier contents of files, whose rows went with this version. */
  readonly superseded?: { readonly files: readonly { readonly digest: string }[] };
  /** Its content is that of an earlier version. */
  readonly restoredFrom?: number;
  readonly dropped?: boolean;
}

/**
 * The source files whose rows are in a version, newest first: its own, and those of the versions that it was added to.
 */
async function filesBehind(
  store: MetadataStore,
  version: AssetVersion,
): Promise<{ readonly files: readonly CapturedNode[]; readonly isAll: boolean }> {
  const own = version.content as CaptureRecord;
  if (own.captured === undefined && own.replayed === undefined) return { files: [], isAll: true };
  const files = new Map<string, CapturedNode>();
  const gone = new Set<string>();
  // Returns the number before which to look on; 0: nothing before is in it.
  const take = (record: CaptureRecord, number: number): number => {
    for (const node of fileNodes(record)) {
      if (gone.has(node.digest ?? "")) continue;
      const known = files.get(node.id)?.node;
      files.set(node.id, {
        node: known === undefined ? node : addRows(known, node),
        versionId: version.id,
        asset: version.asset,
        version: version.version,
      });
    }
    for (const { digest } of record.superseded?.files ?? []) gone.add(digest);
    return record.disposition === "replace" || record.dropped === true ? 0 : (record.restoredFrom ?? number);
  };
  let before = take(own, version.version);
  while (before > 1 && files.size <= LARGEST_FILE_LIST) {
    const page = await store.read((transaction) =>
      listAssetVersions(transaction, { project: version.project, asset: version.asset, before }),
    );
    if (page.length === 0) before = 0;
    for (const earlier of page) {
      before = take(earlier.content as CaptureRecord, earlier.version);
      if (before !== earlier.version) break;
    }
  }
  return { files: [...files.values()], isAll: before <= 1 };
}

function fileNodes({ captured = [], replayed = [] }: CaptureRecord): TraceNode[] {
  return [...captured, ...replayed].map((file) => ({
    id: `file:${file.path}@${file.digest}`,
    kind: "source_file",
    label: file.path,
    digest: file.digest,
    ...(file.rows === undefined ? {} : { rowCount: file.rows }),
  }));
}

/** A file can bring rows more than once: those that were held back at first come later. */
function addRows(node: TraceNode, { rowCount }: TraceNode): TraceNode {
  const { rowCount: known, ...rest } = node;
  return known === undefined || rowCount === undefined ? rest : { ...rest, rowCount: known + rowCount };
}

function toNode(version: AssetVersion): TraceNode {
  return {
    id: version.id,
    kind: version.kind,
    label: version.asset,
    version: version.version,
    digest: version.digest,
    atMs: version.madeAtMs,
    ...(version.rowCount === undefined ? {} : { rowCount: version.rowCount }),
    ...(version.pipelineRunId === undefined ? {} : { pipelineRunId: version.pipelineRunId }),
    ...(version.stepRunId === undefined ? {} : { stepRunId: version.stepRunId }),
  };
}

async function approvalsOf(
  store: MetadataStore,
  project: string,
  digests: readonly string[],
): Promise<readonly StoredApproval[]> {
  return store.read(async (transaction) => {
    const found: StoredApproval[] = [];
    for (const digest of new Set(digests))
      found.push(...(await listApprovalRows(transaction, { project, digest, standing: true, limit: 1000 })));
    return found.sort((left, right) => (left.id < right.id ? 1 : -1));
  });
}
