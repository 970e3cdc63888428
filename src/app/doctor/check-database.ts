import { systemClock } from "#base";
import type { ProjectConfig, Settings } from "#config";
import { type MetadataStore, openMetadataStore } from "#metadata-store";
import type { SecretBox } from "#outbox";
import { createArtifactFolder } from "#tracking";
import { openStorage } from "../open-storage.ts";
import { openSecretBox } from "../secret-keys.ts";
import { failed, failure, type Finding, gib, ok, warning } from "./finding.ts";

const DEADLINE_MS = 10_000;
const LARGEST_SKEW_MS = 2000;
const DAMAGES_SHOWN = 3;
const GARBAGE_AGE_MS = 7 * 24 * 3600_000;
const MUCH_GARBAGE_BYTES = 1024 ** 3;
const MANY_UNFINISHED = 100;

export async function checkDatabase(config: ProjectConfig, settings: Settings): Promise<readonly Finding[]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  try {
    return await Promise.race([lookAtDatabase(config, settings), late.promise]);
  } catch (error) {
    return [failed("database", error, "See that the database runs, and that store.metadata of esteira.yaml is right.")];
  } finally {
    clearTimeout(timer);
  }
}

async function lookAtDatabase(config: ProjectConfig, settings: Settings): Promise<readonly Finding[]> {
  const { readStoreFacts } = await import("#upkeep");
  const store = await openMetadataStore(config.metadataAddress);
  try {
    const askedAtMs = Date.now();
    const facts = await readStoreFacts(store);
    const skewMs = Math.round(facts.nowMs - (askedAtMs + Date.now()) / 2);
    const wrong = facts.durability.filter(({ value, expected }) => value !== expected);
    return [
      ok("database", `${store.kind} answers, its schema is this version's`),
      wrong.length === 0
        ? ok("durability", "what is acknowledged is on disk")
        : failure(
            "durability",
            wrong.map(({ setting, value }) => `${setting} is ${value}`).join(", "),
            `Set ${wrong.map(({ setting, expected }) => `${setting} = ${expected}`).join(", ")} in postgresql.conf.`,
          ),
      Math.abs(skewMs) < LARGEST_SKEW_MS
        ? ok("clock", `within ${LARGEST_SKEW_MS} ms of the database's`)
        : warning("clock", `it differs from the database's by ${skewMs} ms`, "Let both machines keep time by NTP."),
      await checkSecrets(store, openSecretBox(config, settings)),
      await checkVerification(store, config),
      await checkUnreferenced(store, config, settings),
      facts.users > 0
        ? ok("users", `${facts.users} users`)
        : warning(
            "users",
            "no user exists: whoever reaches this machine administers it",
            "esteira user create NAME --role admin",
          ),
      facts.staleAttempts + facts.silentEngines === 0
        ? ok("leases", "none is stale")
        : warning(
            "leases",
            `${facts.staleAttempts} attempts and ${facts.silentEngines} engines are silent`,
            "Start a server or esteira run --resume: it takes over what is left.",
          ),
    ];
  } finally {
    await store.close();
  }
}

async function checkSecrets(store: MetadataStore, secrets: SecretBox): Promise<Finding> {
  const { examineWebhookSecrets } = await import("#registry");
  try {
    const { total, unreadable, outdated } = await examineWebhookSecrets(store, secrets);
    if (unreadable > 0)
      return failure(
        "secrets",
        `${unreadable} of ${total} cannot be opened: they are sealed with a key that is not here, or were changed`,
        "Bring back ~/.config/esteira/secrets.key or ESTEIRA_SECRETS_KEY of the machine that wrote them, or set them again.",
      );
    return outdated > 0
      ? warning("secrets", `${outdated} of ${total} are not sealed with the newest key`, "esteira secrets rotate")
      : ok("secrets", total === 0 ? "none is kept" : `${total} sealed`);
  } catch (error) {
    return failed("secrets", error);
  }
}

async function checkVerification(store: MetadataStore, { verify }: ProjectConfig): Promise<Finding> {
  const { findLastVerification } = await import("#upkeep");
  const last = await findLastVerification(store);
  if (last === undefined)
    return verify.every === undefined
      ? warning("verification", "the store was never verified", "esteira verify, or verify.every in esteira.yaml.")
      : ok("verification", "none yet: a server that runs does it by itself");
  const at = new Date(last.atMs).toISOString();
  if (last.damaged === 0) return ok("verification", `${at}: everything was as recorded`);
  const named = last.damages.slice(0, DAMAGES_SHOWN).map(({ file }) => file);
  return failure(
    "verification",
    `${at}: ${last.damaged} files were damaged: ${named.join(", ")}${last.damaged > named.length ? ", …" : ""}`,
    "esteira verify names what is affected; restore the files from a backup, or run again what made them.",
  );
}

/** What garbage collection would take: a large store says only that it is large. */
async function checkUnreferenced(store: MetadataStore, config: ProjectConfig, settings: Settings): Promise<Finding> {
  const { collectGarbage } = await import("#upkeep");
  const signal = AbortSignal.timeout(DEADLINE_MS / 2);
  try {
    const { objects, tableFiles, artifactFiles } = await openStorage(config, settings);
    const artifacts = createArtifactFolder({ files: artifactFiles });
    const found = await collectGarbage(
      { store, objects, tableFiles, artifacts, clock: systemClock },
      { ageMs: GARBAGE_AGE_MS, dryRun: true, signal },
    );
    const message = `${found.objects} objects of ${gib(found.bytes)} GiB that nothing names, ${found.unfinished} unfinished writes`;
    return found.bytes > MUCH_GARBAGE_BYTES || found.unfinished > MANY_UNFINISHED
      ? warning("unreferenced files", message, "esteira gc")
      : ok("unreferenced files", message);
  } catch (error) {
    return signal.aborted
      ? ok("unreferenced files", "too many to count within seconds")
      : failed("unreferenced files", error);
  }
}
