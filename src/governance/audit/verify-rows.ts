import { digestOf } from "#base";
import type { MetadataStore } from "#metadata-store";
import {
  aliasKey,
  DECIDING_TABLES,
  type DecidingTable,
  deployedKey,
  endpointKey,
  type Fact,
  getLastSequence,
  grantKey,
  listDecidingRows,
  listRawEvents,
  type RawEvent,
} from "#metadata-store/audit";

/** A row that decides and is not what the events say. */
export interface RowFinding {
  readonly table: DecidingTable;
  readonly key: string;
  /** `changed`: another value; `inserted`: no event tells of it; `deleted`: events tell of it, and it is not there. */
  readonly kind: "changed" | "inserted" | "deleted";
  /** What differs: as the events say, as the row says; a side that is not there is empty. */
  readonly expected: Readonly<Record<string, Fact>>;
  readonly found: Readonly<Record<string, Fact>>;
}

export interface RowVerification {
  readonly rows: number;
  /** Values that events of an earlier version did not tell: they cannot be checked. */
  readonly untold: number;
  readonly findings: readonly RowFinding[];
}

/** What events say of a row; a value they did not tell is not there. */
type Told = Readonly<Record<string, Fact | undefined>>;

/** The rows that decide, as the events tell them. */
export interface ToldRows {
  readonly of: (table: DecidingTable) => ReadonlyMap<string, Told>;
  /** Numbers of events up to here were seen. */
  readonly lastSequence: number;
  tell(event: RawEvent): void;
}

const EVENTS_A_PAGE = 1000;
/** A store that is written to all the time is compared again until nothing came between. */
const MOST_TRIES = 10;
const EMPTY: ReadonlyMap<string, Told> = new Map();

export function createToldRows(): ToldRows {
  const tables = new Map<DecidingTable, Map<string, Told>>();
  let lastSequence = 0;
  const rows: Rows = {
    of(table) {
      let found = tables.get(table);
      if (found === undefined) tables.set(table, (found = new Map()));
      return found;
    },
  };
  return {
    of: (table) => tables.get(table) ?? EMPTY,
    get lastSequence() {
      return lastSequence;
    },
    tell(event) {
      lastSequence = Math.max(lastSequence, event.sequence);
      const change = Object.hasOwn(CHANGES, event.type) ? CHANGES[event.type] : undefined;
      if (change === undefined) return;
      change(rows, event, readData(event.data));
    },
  };
}

/**
 * Compares every row that decides with what the events say.
 *
 * @param told fed with every event so far; what came since is read
 */
export async function verifyRows(store: MetadataStore, told: ToldRows): Promise<RowVerification> {
  for (let tries = 1; ; tries++) {
    const before = await catchUp(store, told);
    const verification = await compare(store, told);
    // Rows and events of one change are written together: without a new event, nothing came between.
    const after = await store.read((transaction) => getLastSequence(transaction));
    if (verification.findings.length === 0 || before === after || tries >= MOST_TRIES) return verification;
  }
}

async function catchUp(store: MetadataStore, told: ToldRows): Promise<number> {
  for (;;) {
    const events = await store.readLong((transaction) =>
      listRawEvents(transaction, { from: told.lastSequence + 1, limit: EVENTS_A_PAGE }),
    );
    for (const event of events) told.tell(event);
    if (events.length < EVENTS_A_PAGE) return told.lastSequence;
  }
}

async function compare(store: MetadataStore, told: ToldRows): Promise<RowVerification> {
  const findings: RowFinding[] = [];
  let [rows, untold] = [0, 0];
  for (const table of DECIDING_TABLES) {
    const expected = told.of(table);
    const seen = new Set<string>();
    await store.readLong(async (transaction) => {
      for await (const page of listDecidingRows(transaction, table))
        for (const { key, facts } of page) {
          rows++;
          seen.add(key);
          const said = expected.get(key);
          if (said === undefined) {
            findings.push({ table, key, kind: "inserted", expected: {}, found: facts });
            continue;
          }
          const names = Object.keys(facts);
          untold += names.filter((name) => said[name] === undefined).length;
          const different = names.filter((name) => said[name] !== undefined && said[name] !== facts[name]);
          if (different.length > 0)
            findings.push({
              table,
              key,
              kind: "changed",
              expected: pick(said, different),
              found: pick(facts, different),
            });
        }
    });
    for (const [key, said] of expected)
      if (!seen.has(key))
        findings.push({ table, key, kind: "deleted", expected: pick(said, Object.keys(said)), found: {} });
  }
  return { rows, untold, findings };
}

function pick(facts: Told, names: readonly string[]): Readonly<Record<string, Fact>> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = facts[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

type Data = Readonly<Record<string, unknown>>;
interface Rows {
  of(table: DecidingTable): Map<string, Told>;
}
type Change = (rows: Rows, event: RawEvent, data: Data) => void;

/** What each type of event does to the rows. */
const CHANGES: Readonly<Record<string, Change>> = {
  "user.created": (rows, event, data) => {
    const { subject } = event;
    rows.of("access_user").set(subject, {
      kind: textOf(data["kind"]),
      owner: "owner" in data ? (textOf(data["owner"]) ?? null) : "emails" in data ? null : undefined,
      emails: "emails" in data ? JSON.stringify(data["emails"]) : undefined,
    });
    for (const each of listOf(data["roles"])) {
      const { project, role } = recordOf(each);
      rows.of("access_grant").set(grantKey(subject, String(project)), { role: textOf(role) });
    }
  },
  "grant.set": (rows, { subject }, data) => {
    rows.of("access_grant").set(grantKey(subject, String(data["project"])), { role: textOf(data["role"]) });
  },
  "grant.removed": (rows, { subject }, data) => {
    rows.of("access_grant").delete(grantKey(subject, String(data["project"])));
  },
  "token.created": (rows, { subject }, data) => {
    rows.of("access_token").set(subject, {
      user: textOf(data["user"]),
      label: textOf(data["label"]),
      secret: textOf(data["fingerprint"]),
      expiresAtMs: numberOf(data["expiresAtMs"]) ?? null,
      only: textOf(data["only"]) ?? null,
      isRevoked: false,
    });
  },
  "token.revoked": (rows, { subject }) => {
    rows.of("access_token").set(subject, { ...rows.of("access_token").get(subject), isRevoked: true });
  },
  "approval.given": (rows, event, data) => tellDecision(rows, event, data, "approved"),
  "approval.refused": (rows, event, data) => tellDecision(rows, event, data, "refused"),
  "approval.revoked": (rows, { actor }, data) => {
    const id = String(data["id"]);
    rows.of("approval").set(id, { ...rows.of("approval").get(id), revokedBy: actor });
  },
  "key.registered": (rows, { subject }, data) => {
    rows.of("signing_key").set(subject, {
      user: textOf(data["user"]),
      label: textOf(data["label"]),
      // A key is named by its own digest.
      publicKey: `sha256:${subject}`,
      isRevoked: false,
    });
  },
  "key.revoked": (rows, { subject }) => {
    rows.of("signing_key").set(subject, { ...rows.of("signing_key").get(subject), isRevoked: true });
  },
  "verdict.passed": (rows, event, data) => tellVerdict(rows, event, data, true),
  "verdict.refused": (rows, event, data) => tellVerdict(rows, event, data, false),
  "release.created": (rows, event, data) => {
    rows.of("release").set(event.subject, {
      project: event.project,
      environment: textOf(data["environment"]),
      number: numberOf(data["number"]),
      asset: textOf(data["asset"]),
      versionId: textOf(data["versionId"]),
      createdBy: event.actor,
      settings: textOf(data["settings"]),
      versions: textOf(data["versions"]),
    });
  },
  "release.deployed": tellDeployed,
  "release.rolled_back": tellDeployed,
  "release.failed": tellRelease,
  "release.removed": (rows, { project }, data) => {
    rows.of("deployed").delete(placeOf(project, data));
  },
  "endpoint.changed": (rows, { project, subject }, data) => {
    rows.of("endpoint").set(endpointKey(project, subject), {
      modelVersionId: textOf(data["modelVersionId"]),
      candidateVersionId: textOf(data["candidateVersionId"]) ?? null,
      strategy: data["strategy"] === undefined ? undefined : digestOf(JSON.stringify(data["strategy"])),
      isStopped: data["action"] === "stop",
    });
  },
  "asset_version.made": (rows, { project, subject }, data) => {
    rows.of("asset_version").set(String(data["id"]), {
      project,
      asset: subject,
      kind: textOf(data["kind"]),
      version: numberOf(data["version"]),
      digest: textOf(data["digest"]),
      stepRunId: textOf(data["stepRunId"]) ?? null,
      content: textOf(data["content"]),
      inputs: textOf(data["inputs"]),
    });
  },
  "model_alias.set": (rows, { subject }, data) => {
    const key = aliasKey(subject, String(data["alias"]));
    rows.of("registered_model_alias").set(key, { version: numberOf(data["version"]) });
  },
  "model_alias.deleted": (rows, { subject }, data) => {
    rows.of("registered_model_alias").delete(aliasKey(subject, String(data["alias"])));
  },
  "model_version.deleted": (rows, { subject }, data) => {
    for (const alias of listOf(data["aliases"]))
      rows.of("registered_model_alias").delete(aliasKey(subject, String(alias)));
  },
  "registered_model.imported": (rows, { subject }, data) => {
    for (const [alias, version] of Object.entries(recordOf(data["aliases"])))
      rows.of("registered_model_alias").set(aliasKey(subject, alias), { version: numberOf(version) });
  },
  "registered_model.renamed": (rows, { subject }, data) => {
    const aliases = rows.of("registered_model_alias");
    for (const [key, said] of aliasesOf(aliases, subject)) {
      aliases.delete(key);
      aliases.set(aliasKey(String(data["newName"]), key.slice(subject.length + 1)), said);
    }
  },
  "registered_model.deleted": (rows, { subject }) => {
    const aliases = rows.of("registered_model_alias");
    for (const [key] of aliasesOf(aliases, subject)) aliases.delete(key);
  },
};

function tellDecision(rows: Rows, event: RawEvent, data: Data, decision: string): void {
  rows.of("approval").set(String(data["id"]), {
    project: event.project,
    kind: textOf(data["kind"]),
    digest: event.subject,
    environment: textOf(data["environment"]) ?? "",
    decision,
    actor: event.actor,
    countsFor: textOf(data["countsFor"]),
    atMs: event.atMs,
    revokedBy: null,
    expiresAtMs: numberOf(data["expiresAtMs"]) ?? null,
  });
}

function tellVerdict(rows: Rows, event: RawEvent, data: Data, isPassed: boolean): void {
  rows.of("verdict").set(String(data["versionId"]), {
    project: event.project,
    isPassed,
    atMs: event.atMs,
    stepRunId: textOf(data["stepRunId"]) ?? null,
    content: textOf(data["content"]),
  });
}

function tellDeployed(rows: Rows, event: RawEvent, data: Data): void {
  tellRelease(rows, event, data);
  rows.of("deployed").set(placeOf(event.project, data), {
    deploymentId: textOf(data["deploymentId"]),
    releaseId: event.subject,
    versionId: textOf(data["versionId"]),
  });
}

/** Earlier versions told of a release first when it was deployed, or was not. */
function tellRelease(rows: Rows, event: RawEvent, data: Data): void {
  if (rows.of("release").has(event.subject)) return;
  rows.of("release").set(event.subject, {
    project: event.project,
    environment: textOf(data["environment"]),
    number: numberOf(data["number"]),
    asset: textOf(data["asset"]),
    versionId: textOf(data["versionId"]),
  });
}

function placeOf(project: string, data: Data): string {
  return deployedKey({ project, environment: String(data["environment"]), asset: String(data["asset"]) });
}

function aliasesOf(aliases: ReadonlyMap<string, Told>, model: string): readonly (readonly [string, Told])[] {
  return [...aliases].filter(([key]) => key.startsWith(`${model}@`) && !key.slice(model.length + 1).includes("@"));
}

function readData(text: string): Data {
  try {
    return recordOf(JSON.parse(text));
  } catch {
    // Somebody edited the event, which the log says.
    return {};
  }
}

function recordOf(value: unknown): Data {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
