import { createHash } from "node:crypto";
import { canonicalJson, type Digest } from "#base";
import { type LockedPackage, type LockedPackages, packageUrl } from "./locked-package.ts";

/** What the bill is of. */
export interface BillSubject {
  /** Name of the asset. */
  readonly name: string;
  readonly type: "application" | "container";
  /** Of the archive, or the image's manifest. */
  readonly digest: Digest;
  /** Manifest of the image below. */
  readonly base?: { readonly name: string; readonly digest: Digest } | undefined;
}

/**
 * The bill of materials of packaged code as CycloneDX 1.6 JSON. It carries no time and its serial number follows from
 * its content: equal code and lock files give the same bytes.
 */
export function formatBill(subject: BillSubject, locks: readonly LockedPackages[]): string {
  const packages = mergePackages(locks.flatMap((lock) => lock.packages));
  const needed = new Set([...packages.values()].flatMap(({ needs }) => needs));
  const roots = locks.flatMap((lock) => lock.roots ?? lock.packages.map(urlOf).filter((url) => !needed.has(url)));
  const main = "esteira:packaged";
  const base = subject.base === undefined ? [] : [baseComponent(subject.base)];
  const urls = [...packages.keys()].sort();
  const dependencies = [
    {
      ref: main,
      dependsOn: [
        ...new Set([...roots.filter((url) => packages.has(url)), ...base.map((one) => one["bom-ref"])]),
      ].sort(),
    },
    ...urls.map((url) => ({
      ref: url,
      dependsOn: [...(packages.get(url)?.needs ?? [])].filter((need) => packages.has(need) && need !== url).sort(),
    })),
    ...base.map((one) => ({ ref: one["bom-ref"] })),
  ];
  const bill = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      lifecycles: [{ phase: "build" }],
      tools: { components: [{ type: "application", name: "esteira" }] },
      component: {
        type: subject.type,
        "bom-ref": main,
        name: subject.name,
        version: subject.digest,
        hashes: [hashOf(subject.digest)],
      },
    },
    components: [...base, ...urls.flatMap((url) => toComponent(url, packages.get(url)))],
    dependencies,
    // Nobody knows what the base image holds.
    compositions: [{ aggregate: base.length > 0 ? "incomplete" : "unknown", assemblies: [main] }],
  };
  return JSON.stringify({ ...bill, serialNumber: serialNumberOf(bill) }, undefined, 2);
}

function urlOf({ ecosystem, name, version }: LockedPackage): string {
  return packageUrl(ecosystem, name, version);
}

/** One package may lie in several places, and be asked for by several files. */
function mergePackages(packages: readonly LockedPackage[]): ReadonlyMap<string, LockedPackage> {
  const SCOPES = ["excluded", "optional", "required"] as const;
  const merged = new Map<string, LockedPackage>();
  for (const one of packages) {
    const url = urlOf(one);
    const known = merged.get(url);
    if (known === undefined) {
      merged.set(url, one);
      continue;
    }
    const scope = SCOPES[Math.max(SCOPES.indexOf(known.scope), SCOPES.indexOf(one.scope))] ?? "required";
    merged.set(url, {
      ...known,
      scope,
      needs: [...new Set([...known.needs, ...one.needs])],
      files: [...known.files, ...one.files.filter(({ url: file }) => !known.files.some((other) => other.url === file))],
    });
  }
  return merged;
}

function toComponent(url: string, found: LockedPackage | undefined): readonly object[] {
  if (found === undefined) return [];
  const { ecosystem, name, version, scope, licence, hashes, files } = found;
  const slash = ecosystem === "npm" && name.startsWith("@") ? name.indexOf("/") : -1;
  return [
    {
      type: "library",
      "bom-ref": url,
      ...(slash < 0 ? { name } : { group: name.slice(0, slash), name: name.slice(slash + 1) }),
      ...(version === undefined ? {} : { version }),
      scope,
      ...(hashes.length === 0 ? {} : { hashes }),
      ...(licence === undefined ? {} : { licenses: [{ license: { name: licence } }] }),
      purl: url,
      ...(files.length === 0
        ? {}
        : {
            externalReferences: files.map((file) => ({
              type: "distribution",
              url: file.url,
              ...(file.hashes.length === 0 ? {} : { hashes: file.hashes }),
            })),
          }),
    },
  ];
}

function baseComponent({ name, digest }: NonNullable<BillSubject["base"]>): {
  readonly "bom-ref": string;
  readonly [key: string]: unknown;
} {
  return { type: "container", "bom-ref": "esteira:base", name, version: digest, hashes: [hashOf(digest)] };
}

function hashOf(digest: Digest): object {
  return { alg: "SHA-256", content: digest.slice("sha256:".length) };
}

/** A UUID (RFC 9562, version 8) of the content. */
function serialNumberOf(bill: unknown): string {
  const hex = createHash("sha256").update(canonicalJson(bill)).digest("hex");
  const variant = "89ab".charAt(Number.parseInt(hex.charAt(16), 16) % 4);
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
