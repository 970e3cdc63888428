import { createHash, randomBytes } from "node:crypto";
import type { Action } from "#api";
import { type Clock, nearestName, newId, secretsEqual } from "#base";
import { appendEvent, type EventsOf, fingerprintOf, type MetadataStore, type WriteTransaction } from "#metadata-store";
import {
  countGrants,
  getToken,
  getUser,
  hasUsers,
  insertToken,
  insertUser,
  listTokens,
  listUsers,
  revokeToken,
  setGrant,
  type StoredToken,
  type StoredUser,
  touchToken,
} from "#metadata-store/access";
import { type AttemptCredential, getAttemptCredential, setAttemptTokenHash } from "#metadata-store/engine";
import {
  actionInvalid,
  grantMissing,
  lastAdministrator,
  roleInvalid,
  tokenMissing,
  unauthenticated,
  userExists,
  userMissing,
  userNameInvalid,
} from "./errors.ts";
import { EVERY_PROJECT, type Identity } from "./identity.ts";
import { ACTIONS_OF_LIMIT, type Role, ROLES } from "./roles.ts";

const TOKEN_PREFIX = "est_";
const ATTEMPT_TOKEN_PREFIX = "esa_";
const LENT_TOKEN_PREFIX = "esw_";
/** Of the worker of one task: what follows is sealed by the store's servers. */
export const TASK_TOKEN_PREFIX = "esp_";
const SECRET_BYTES = 32;
const TOUCH_INTERVAL_MS = 60_000;
const USER_NAME = /^[\p{L}\p{N}._@-]{1,64}$/u;

/** A token as its owner sees it, once. */
export interface NewToken extends StoredToken {
  /** `est_<id>_<secret>`; only its sha256 is kept. */
  readonly token: string;
}

/** Identities, tokens and roles. Until the first user exists, loopback callers are the machine's own user. */
export interface Access {
  /** True when any user exists; then every request must be signed in. */
  isSetUp(): Promise<boolean>;
  /**
   * Who makes a request.
   *
   * @param request the `Authorization` header (Bearer token, or Basic with the token as password) and whether the
   *   caller is on this machine
   * @throws ACCESS_UNAUTHENTICATED
   */
  authenticate(request: { readonly authorization?: string | undefined; readonly loopback: boolean }): Promise<Identity>;
  /**
   * The first user becomes administrator of every project, whatever roles are asked for. @throws ACCESS_USER_EXISTS,
   * ACCESS_USER_NAME_INVALID, ACCESS_ROLE_INVALID, ACCESS_USER_MISSING (unknown owner)
   */
  createUser(user: {
    readonly name: string;
    readonly kind?: "person" | "service";
    readonly owner?: string;
    readonly emails?: readonly string[];
    readonly roles?: readonly { readonly project: string; readonly role: Role }[];
    readonly actor: string;
  }): Promise<StoredUser>;
  /**
   * Sets a role in a project (`*`: every project); undefined takes it away. @throws ACCESS_USER_MISSING,
   * ACCESS_ROLE_INVALID, ACCESS_GRANT_MISSING (nothing to take away), ACCESS_LAST_ADMINISTRATOR
   */
  grant(grant: {
    readonly user: string;
    readonly project: string;
    readonly role: Role | undefined;
    readonly actor: string;
  }): Promise<StoredUser>;
  users(page?: { readonly after?: string; readonly limit?: number }): Promise<readonly StoredUser[]>;
  /**
   * The only time the secret is shown. `only`: the one action that it allows, `predict` or `read`. @throws
   * ACCESS_USER_MISSING, ACCESS_ACTION_INVALID
   */
  createToken(token: {
    readonly user: string;
    readonly label: string;
    readonly expiresAtMs?: number;
    readonly only?: string;
    readonly actor: string;
  }): Promise<NewToken>;
  /**
   * A token for the processes of a running attempt, valid as long as its lease is. A second one replaces the first.
   *
   * @param attempt its id and its fencing token
   * @throws ACCESS_UNAUTHENTICATED when the attempt is no longer current
   */
  createAttemptToken(attempt: { readonly attemptId: string; readonly token: number }): Promise<string>;
  /** Of one user, or of all; newest first, at most 1,000. */
  tokens(user?: string): Promise<readonly StoredToken[]>;
  /**
   * A token for a worker that this process starts on another machine. It is known to this process alone, can do nothing
   * but what workers do, and is void once it is revoked or the process has ended.
   *
   * @param worker.name who calls with it, as events say
   */
  lendToken(worker: { readonly name: string; readonly project: string }): LentToken;
  /** @throws ACCESS_TOKEN_MISSING */
  revokeToken(token: { readonly id: string; readonly actor: string }): Promise<void>;
}

/** A token of {@link Access.lendToken}. */
export interface LentToken {
  readonly token: string;
  /** Idempotent. */
  revoke(): void;
}

export interface AccessOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  /** Name of the machine's user, who is administrator on loopback until a user exists. */
  readonly localUser: string;
  /** What the machine's user may do on loopback without a token once users exist; undefined (default): nothing. */
  readonly loopbackRole?: Role | undefined;
  /** Whose task a sealed token is of, where this store has it and it goes on; undefined for every other text. */
  readonly openTaskToken?:
    | ((sealed: string) => Promise<{ readonly actor: string; readonly project: string } | undefined>)
    | undefined;
}

/** Opens access on a store. */
export function createAccess(options: AccessOptions): Access {
  const { store, clock } = options;
  const lent = new Map<string, Lent>();
  let setUp = false;

  async function isSetUp(): Promise<boolean> {
    setUp ||= await store.read(hasUsers);
    return setUp;
  }

  return {
    isSetUp,
    async authenticate({ authorization, loopback }) {
      const secret = readCredentials(authorization);
      if (secret?.token.startsWith(LENT_TOKEN_PREFIX) === true) return identifyLent(lent, secret.token);
      if (secret?.token.startsWith(TASK_TOKEN_PREFIX) === true) return identifyTask(options, secret.token);
      if (secret !== undefined) return identify(options, secret);
      if (await isSetUp()) {
        if (!loopback || options.loopbackRole === undefined) throw unauthenticated({ reason: "no token was sent" });
        return {
          name: options.localUser,
          kind: "local",
          roles: [{ project: EVERY_PROJECT, role: options.loopbackRole }],
        };
      }
      if (!loopback) throw unauthenticated({ reason: "no user is set up, so only this machine may connect" });
      return { name: options.localUser, kind: "local", roles: [{ project: EVERY_PROJECT, role: "admin" }] };
    },
    createUser: (user) => store.write((transaction) => addUser(transaction, user, clock.now())),
    grant: (grant) => store.write((transaction) => changeGrant(transaction, grant, clock.now())),
    users: (page) => store.read((transaction) => listUsers(transaction, page)),
    createToken: (token) => store.write((transaction) => addToken(transaction, token, clock.now())),
    async createAttemptToken({ attemptId, token }) {
      const secret = randomBytes(SECRET_BYTES).toString("base64url");
      const isCurrent = await store.write((transaction) =>
        setAttemptTokenHash(transaction, { attemptId, token, tokenHash: hashSecret(secret) }),
      );
      if (!isCurrent) throw unauthenticated({ reason: "the attempt has ended" });
      return `${ATTEMPT_TOKEN_PREFIX}${attemptId}_${secret}`;
    },
    tokens: (user) => store.read((transaction) => listTokens(transaction, user)),
    lendToken({ name, project }) {
      const [id, secret] = [newId(), randomBytes(SECRET_BYTES).toString("base64url")];
      const identity: Identity = { name, kind: "token", roles: [{ project, role: "viewer" }], only: "work" };
      lent.set(id, { secretHash: hashSecret(secret), identity });
      return { token: `${LENT_TOKEN_PREFIX}${id}_${secret}`, revoke: () => void lent.delete(id) };
    },
    revokeToken: ({ id, actor }) =>
      store.write(async (transaction) => {
        const atMs = clock.now();
        if (!(await revokeToken(transaction, id, atMs))) throw tokenMissing({ id });
        await record(transaction, { atMs, type: "token.revoked", subject: id, actor });
      }),
  };
}

interface Lent {
  readonly secretHash: string;
  readonly identity: Identity;
}

function identifyLent(lent: ReadonlyMap<string, Lent>, token: string): Identity {
  const [, id = "", secret = ""] = /^esw_([0-9A-Z]{26})_([\w-]+)$/.exec(token) ?? [];
  const found = lent.get(id);
  if (found === undefined || !secretsEqual(hashSecret(secret), found.secretHash))
    throw unauthenticated({ reason: "the token is not valid, or not any more" });
  return found.identity;
}

async function identifyTask({ openTaskToken }: AccessOptions, token: string): Promise<Identity> {
  const found = await openTaskToken?.(token.slice(TASK_TOKEN_PREFIX.length));
  if (found === undefined) throw unauthenticated({ reason: "the token is not valid, or not any more" });
  return { name: found.actor, kind: "token", roles: [{ project: found.project, role: "viewer" }], only: "work" };
}

interface Credentials {
  readonly token: string;
  /** Basic authentication names a user, which must own the token. */
  readonly user: string | undefined;
}

/** undefined when nothing was sent; the empty Basic login of some clients is nothing too. */
function readCredentials(authorization: string | undefined): Credentials | undefined {
  if (authorization === undefined || authorization === "") return undefined;
  const [scheme = "", value = ""] = authorization.trim().split(/\s+/, 2);
  if (/^bearer$/i.test(scheme)) return { token: value, user: undefined };
  if (!/^basic$/i.test(scheme))
    throw unauthenticated({ reason: `the scheme ${JSON.stringify(scheme)} is not known, expected Bearer or Basic` });
  const text = Buffer.from(value, "base64").toString("utf8");
  const colon = text.indexOf(":");
  const [user, token] = colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
  return user === "" && token === "" ? undefined : { token, user: user === "" ? undefined : user };
}

async function identify({ store, clock }: AccessOptions, { token, user }: Credentials): Promise<Identity> {
  const [, prefix, id, secret] = /^(est_|esa_)([0-9A-Z]{26})_([\w-]+)$/.exec(token) ?? [];
  if (id === undefined || secret === undefined)
    throw unauthenticated({ reason: "the token does not have the form est_<id>_<secret>" });
  if (prefix === ATTEMPT_TOKEN_PREFIX)
    return toAttempt(id, secret, await store.read((transaction) => getAttemptCredential(transaction, id)));
  const nowMs = clock.now();
  const found = await store.read(async (transaction) => {
    const stored = await getToken(transaction, id);
    return stored === undefined ? undefined : { stored, owner: await getUser(transaction, stored.user) };
  });
  // The same answer for an unknown id and a wrong secret: ids are no secrets, but nobody needs an oracle.
  if (found?.owner === undefined || !secretsEqual(hashSecret(secret), found.stored.secretHash))
    throw unauthenticated({ reason: "the token is not valid" });
  const { stored, owner } = found;
  if (user !== undefined && user !== owner.name) throw unauthenticated({ reason: "the token is not valid" });
  assertStanding(stored, nowMs);
  if ((stored.lastUsedAtMs ?? 0) + TOUCH_INTERVAL_MS < nowMs)
    await store.write((transaction) => touchToken(transaction, id, nowMs));
  return {
    name: owner.name,
    kind: owner.kind === "service" ? "token" : "user",
    roles: owner.grants.map(({ project, role }) => ({ project, role: role as Role })),
    ...(owner.owner === undefined ? {} : { owner: owner.owner }),
    ...(stored.only === undefined ? {} : { only: stored.only as Action }),
  };
}

/** Named after the attempt, not after who started it: what a step does is not what a person did. */
function toAttempt(attemptId: string, secret: string, credential: AttemptCredential | undefined): Identity {
  if (credential === undefined || !secretsEqual(hashSecret(secret), credential.tokenHash))
    throw unauthenticated({ reason: "the token is not valid" });
  const { project, pipelineRunId, actor, current } = credential;
  if (!current) throw unauthenticated({ reason: "the attempt that the token belongs to has ended" });
  return {
    name: `attempt:${attemptId}`,
    kind: "attempt",
    roles: [{ project, role: "viewer" }],
    attempt: { attemptId, pipelineRunId, project, startedBy: actor },
  };
}

function assertStanding(token: StoredToken, nowMs: number): void {
  if (token.revokedAtMs !== undefined) throw unauthenticated({ reason: "the token was revoked" });
  if (token.expiresAtMs === undefined || token.expiresAtMs > nowMs) return;
  throw unauthenticated({ reason: `the token expired at ${new Date(token.expiresAtMs).toISOString()}` });
}

async function addUser(
  transaction: WriteTransaction,
  user: Parameters<Access["createUser"]>[0],
  atMs: number,
): Promise<StoredUser> {
  const roles = user.roles ?? [];
  if (!USER_NAME.test(user.name) || user.name === "engine") throw userNameInvalid({ name: user.name });
  for (const { role } of roles) assertRole(role);
  if (user.owner !== undefined) await existing(transaction, user.owner);
  const isFirst = !(await hasUsers(transaction));
  const added = await insertUser(transaction, {
    name: user.name,
    kind: user.kind ?? "person",
    owner: user.owner,
    emails: user.emails ?? [],
    createdAtMs: atMs,
  });
  if (!added) throw userExists({ name: user.name });
  const granted = isFirst ? [{ project: EVERY_PROJECT, role: "admin" }] : roles;
  for (const { project, role } of granted) await setGrant(transaction, { user: user.name, project, role });
  await record(transaction, {
    atMs,
    type: "user.created",
    subject: user.name,
    actor: user.actor,
    data: { kind: user.kind ?? "person", roles: granted, owner: user.owner, emails: user.emails ?? [] },
  });
  return existing(transaction, user.name);
}

async function changeGrant(
  transaction: WriteTransaction,
  grant: Parameters<Access["grant"]>[0],
  atMs: number,
): Promise<StoredUser> {
  if (grant.role !== undefined) assertRole(grant.role);
  const before = await existing(transaction, grant.user);
  const isHeld = before.grants.some(({ project }) => project === grant.project);
  if (grant.role === undefined && !isHeld)
    throw grantMissing({ name: grant.user, project: grant.project, held: before.grants });
  await setGrant(transaction, grant);
  const hadAll = before.grants.some(({ project, role }) => project === EVERY_PROJECT && role === "admin");
  if (hadAll && (await countGrants(transaction, { project: EVERY_PROJECT, role: "admin" })) === 0)
    throw lastAdministrator({ name: grant.user });
  await record(transaction, {
    atMs,
    subject: grant.user,
    actor: grant.actor,
    ...(grant.role === undefined
      ? { type: "grant.removed", data: { project: grant.project } }
      : { type: "grant.set", data: { project: grant.project, role: grant.role } }),
  });
  return existing(transaction, grant.user);
}

async function addToken(
  transaction: WriteTransaction,
  token: Parameters<Access["createToken"]>[0],
  atMs: number,
): Promise<NewToken> {
  await existing(transaction, token.user);
  if (token.only !== undefined && !Object.hasOwn(ACTIONS_OF_LIMIT, token.only))
    throw actionInvalid({ action: token.only, expected: Object.keys(ACTIONS_OF_LIMIT) });
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  const stored = {
    id: newId(),
    user: token.user,
    label: token.label,
    createdAtMs: atMs,
    expiresAtMs: token.expiresAtMs,
    only: token.only,
  };
  const secretHash = hashSecret(secret);
  await insertToken(transaction, { ...stored, secretHash });
  await record(transaction, {
    atMs,
    type: "token.created",
    subject: stored.id,
    actor: token.actor,
    data: {
      user: token.user,
      label: token.label,
      expiresAtMs: token.expiresAtMs,
      only: token.only,
      fingerprint: fingerprintOf(secretHash),
    },
  });
  return { ...stored, lastUsedAtMs: undefined, revokedAtMs: undefined, token: `${TOKEN_PREFIX}${stored.id}_${secret}` };
}

function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function assertRole(role: string): void {
  if (!ROLES.some((known) => known === role))
    throw roleInvalid({ role, expected: ROLES, nearest: nearestName(role, ROLES) });
}

async function existing(transaction: WriteTransaction, name: string): Promise<StoredUser> {
  const user = await getUser(transaction, name);
  if (user !== undefined) return user;
  const known = (await listUsers(transaction)).map((each) => each.name);
  throw userMissing({ name, known, nearest: nearestName(name, known) });
}

function record(
  transaction: WriteTransaction,
  event: { readonly atMs: number; readonly subject: string; readonly actor: string } & EventsOf<
    "user" | "grant" | "token"
  >,
): Promise<void> {
  return appendEvent(transaction, { ...event, project: EVERY_PROJECT, subjectKind: "access" });
}
