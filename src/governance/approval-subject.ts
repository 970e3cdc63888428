import type { Digest } from "#base";
import {
  type AssetKind,
  type AssetVersion,
  getAssetVersion,
  getVersionGraph,
  listVersionsByDigest,
  type MetadataStore,
  type ReadTransaction,
} from "#metadata-store";
import { listUsers } from "#metadata-store/access";
import {
  type ApprovalRequest,
  type ApprovalSubject,
  listApprovalRequests,
  listAuthors,
} from "#metadata-store/governance";
import { askedChange } from "./rules-history.ts";

/** Kinds whose makers are authors of what is made of them. Data are captured, not authored. */
const AUTHORED_KINDS: readonly AssetKind[] = ["notebook", "model", "code"];

/** Who wrote a commit, as addresses. `app` wires the project's repository. */
export type CommitAuthors = (commit: string) => Promise<readonly string[]>;

/** What an approval would be bound to, and who must not give it. */
export interface ApprovalSubjectFacts {
  readonly versions: readonly AssetVersion[];
  /** What is asked for it; with `decided` also what was. */
  readonly requests: readonly ApprovalRequest[];
  /** Sorted user names. */
  readonly authors: readonly string[];
  /** A name for messages. */
  readonly name: string;
}

/**
 * Finds what has a digest and who made it: the actors who recorded it, those who recorded the notebooks, code and
 * models it was made from, the users who committed the sources, and who asked for the approval.
 */
export async function findSubject(
  store: MetadataStore,
  key: {
    readonly project: string;
    readonly digest: Digest;
    /** What a recipe made: whoever started that run is no author of the recipe, whoever wrote what it is made of is. */
    readonly madeBy?: AssetVersion | undefined;
    /** Also what was decided: an approval may be given anew, signed or for longer. */
    readonly decided?: boolean;
  },
  commitAuthors: CommitAuthors | undefined,
): Promise<ApprovalSubjectFacts> {
  const { versions, requests, lineage } = await store.read(async (transaction) => {
    const found = await listVersionsByDigest(transaction, key);
    const asked: readonly ApprovalRequest[] = await listApprovalRequests(transaction, {
      project: key.project,
      digest: key.digest,
      limit: 1000,
      decided: key.decided === true,
    });
    const made = [
      ...found,
      ...(await versionsAskedFor(transaction, asked)),
      ...(key.madeBy === undefined ? [] : [key.madeBy]),
    ];
    return { versions: found, requests: asked, lineage: await readAuthoredLineage(transaction, made) };
  });
  const authors = new Set(requests.map(({ requestedBy }) => requestedBy));
  for (const { subjectKind, environment } of requests) {
    if (subjectKind !== "rules") continue;
    const change = { project: key.project, environment, change: key.digest };
    const asked = await store.read((transaction) => askedChange(transaction, change));
    for (const author of asked?.data.authors ?? []) authors.add(author);
  }
  const written = lineage.filter(({ id }) => id !== key.madeBy?.id);
  for (const digest of new Set([key.digest, ...written.map((version) => version.digest)])) {
    for (const author of await store.read((transaction) => listAuthors(transaction, { project: key.project, digest })))
      authors.add(author);
  }
  for (const name of await findCommitters(store, lineage, commitAuthors)) authors.add(name);
  authors.delete("engine");
  const named = versions[0];
  return {
    versions,
    requests,
    authors: [...authors].sort(),
    name: named === undefined ? (requests[0]?.subject ?? key.digest) : `${named.asset} ${named.version}`,
  };
}

/** A recipe is no version: what waits with it says what it made. */
async function versionsAskedFor(
  transaction: ReadTransaction,
  requests: readonly ApprovalRequest[],
): Promise<readonly AssetVersion[]> {
  const ids = requests.flatMap(({ versionId }) => versionId ?? []);
  const found = await Promise.all(ids.map((id) => getAssetVersion(transaction, { id })));
  return found.filter((version) => version !== undefined);
}

async function readAuthoredLineage(
  transaction: ReadTransaction,
  versions: readonly AssetVersion[],
): Promise<readonly AssetVersion[]> {
  const found = new Map<string, AssetVersion>();
  for (const version of versions.slice(0, 20)) {
    for (const each of (await getVersionGraph(transaction, version.id, "upstream")).versions) {
      if (AUTHORED_KINDS.includes(each.kind)) found.set(each.id, each);
    }
  }
  return [...found.values()];
}

async function findCommitters(
  store: MetadataStore,
  versions: readonly AssetVersion[],
  commitAuthors: CommitAuthors | undefined,
): Promise<readonly string[]> {
  if (commitAuthors === undefined) return [];
  const commits = new Set(versions.flatMap((version) => commitOf(version)?.id ?? []));
  const addresses = new Set(
    (await Promise.all([...commits].map(commitAuthors))).flat().map((address) => address.toLowerCase()),
  );
  if (addresses.size === 0) return [];
  const users = await store.read((transaction) => listUsers(transaction, { limit: 1000 }));
  return users
    .filter(({ emails }) => emails.some((email) => addresses.has(email.toLowerCase())))
    .map(({ name }) => name);
}

/**
 * Digest of the notebook that a model's record names: of models made before recipes too, whose records name it in other
 * places.
 */
export function sourceDigestOf(version: AssetVersion): Digest | undefined {
  const { record } = version.content as {
    readonly record?: {
      readonly source?: {
        readonly notebook?: { readonly digest?: Digest; readonly sourceDigest?: Digest };
        readonly notebookDigest?: Digest;
        readonly sourceDigest?: Digest;
      };
    };
  };
  const source = record?.source;
  return source?.notebookDigest ?? source?.notebook?.sourceDigest ?? source?.notebook?.digest ?? source?.sourceDigest;
}

/** The commit that a version's content says it was made at. */
export function commitOf(version: AssetVersion): { readonly id: string; readonly dirty: boolean } | undefined {
  const content = version.content as {
    readonly commit?: unknown;
    readonly record?: { readonly commit?: unknown };
    readonly provenance?: { readonly commit?: unknown };
  };
  const commit = content.record?.commit ?? content.commit ?? content.provenance?.commit;
  if (typeof commit === "string") return { id: commit, dirty: false };
  if (typeof commit !== "object" || commit === null || !("id" in commit)) return undefined;
  return { id: String(commit.id), dirty: "dirty" in commit && commit.dirty === true };
}

/** The kind of approval that a version needs. */
export function subjectKindOf(kind: AssetKind): ApprovalSubject {
  if (kind === "notebook" || kind === "model" || kind === "code") return kind;
  return "release";
}
