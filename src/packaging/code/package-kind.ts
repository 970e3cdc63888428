import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";
import { z } from "zod";
import { type Digest, digestOf, type Json } from "#base";
import type { AnalysisContext, AttemptContext, Problem, StepAnalysis, StepKind, StepOutcome } from "#pipeline";
import { codeNotPackable } from "../errors.ts";
import type { TarEntry } from "../tar.ts";
import { type BaseImage, readBaseImage } from "./base-image.ts";
import { formatBill } from "./bill-of-materials.ts";
import { entriesOf, writeArchive } from "./folder-archive.ts";
import { writeImage } from "./image-layout.ts";
import type { LockedPackages } from "./locked-package.ts";
import { isLockFile, readLockFile, USUAL_LOCK_FILES } from "./lock-file.ts";
import { formatProvenance } from "./provenance.ts";

/** Folder of the image's layout in the packaged version. */
const IMAGE_FOLDER = "image";
const BILL_FILE = "sbom.cdx.json";
const PROVENANCE_FILE = "provenance.intoto.json";
/** A file of this name in a layer removes another from the layers below (OCI image-spec, whiteouts). */
const WHITEOUT = /(^|\/)\.wh\./;

/** `package: CODE`: an archive or an image, with what it is made of and how it came to be. */
export interface PackageDeclaration {
  readonly package: string;
  readonly as?: "image" | "archive" | undefined;
  readonly base?: string | undefined;
  readonly at?: string | undefined;
  readonly entrypoint?: readonly string[] | undefined;
  readonly command?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly ports?: readonly number[] | undefined;
  readonly user?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly platform?: string | undefined;
  readonly tag?: string | undefined;
  readonly locks?: readonly string[] | undefined;
}

const words = z.array(z.string()).min(1);

const schema: z.ZodType<PackageDeclaration> = z.strictObject({
  package: z.string().min(1).describe("The code to package: a step that makes code."),
  as: z
    .enum(["image", "archive"])
    .optional()
    .describe("An OCI image layout, or a compressed archive (.tar.gz); default image."),
  base: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Image: what it is built on, a folder of the project with an OCI image layout or code that holds one, with :TAG where there are several; default: nothing (from scratch).",
    ),
  at: z
    .string()
    .regex(/^\/[^:]*$/)
    .optional()
    .describe("Image: folder of the code in it, its working folder; default /app."),
  entrypoint: words.optional().describe("Image: program with arguments; default: what the base has."),
  command: words.optional().describe("Image: program, or arguments of the entrypoint; default: what the base has."),
  env: z
    .record(z.string().regex(/^[A-Za-z_]\w*$/), z.string())
    .optional()
    .describe("Image: variables of its processes, beside those of the base."),
  ports: z.array(z.int().min(1).max(65_535)).optional().describe("Image: TCP ports that it listens on."),
  user: z.string().min(1).optional().describe("Image: user, or UID:GID; default: what the base has."),
  labels: z.record(z.string().min(1), z.string()).optional().describe("Image: labels, beside those of the base."),
  platform: z
    .string()
    .regex(/^[a-z0-9]+\/[a-z0-9]+(\/[a-z0-9]+)?$/)
    .optional()
    .describe("Image: system and processor, for example linux/arm64; default linux/amd64, or what the base is for."),
  tag: z
    .string()
    .regex(/^[A-Za-z0-9_][\w.-]{0,127}$/)
    .optional()
    .describe("Image: its tag in the layout; default latest."),
  locks: z
    .array(z.string().min(1))
    .optional()
    .describe(
      "Lock files whose packages stand in the bill of materials: of npm, pnpm, pip, uv, Poetry, or pylock.toml; default: those at the root of the project.",
    ),
});

const IMAGE_KEYS = [
  "base",
  "at",
  "entrypoint",
  "command",
  "env",
  "ports",
  "user",
  "labels",
  "platform",
  "tag",
] as const;

/**
 * Steps that package code: `package: CODE`. The version holds the archive or the image layout, a bill of materials
 * (CycloneDX) and its provenance (in-toto, SLSA). The same code packaged in the same way has the same digest.
 */
export function createPackageKind(): StepKind<PackageDeclaration> {
  return {
    name: "package",
    load: "code",
    schema,
    describe: (declaration) => `package ${declaration.package} as ${formOf(declaration)}`,
    analyse,
    execute,
  };
}

function formOf({ as }: PackageDeclaration): "image" | "archive" {
  return as ?? "image";
}

async function analyse(declaration: PackageDeclaration, context: AnalysisContext): Promise<StepAnalysis> {
  const locks = await findLocks(declaration, context);
  const base = await analyseBase(declaration, context);
  return {
    inputs: [
      { asset: declaration.package, role: "package", path: ["package"] },
      ...(base.asset === undefined ? [] : [{ asset: base.asset, role: "base", path: ["base"] }]),
    ],
    makes: [{ asset: context.step, kind: "code" }],
    files: [...locks.files, ...base.files],
    problems: [...explainKeys(declaration, context), ...locks.problems, ...base.problems],
  };
}

function explainKeys(declaration: PackageDeclaration, { knownAssets }: AnalysisContext): readonly Problem[] {
  const kind = knownAssets.get(declaration.package);
  const problems: Problem[] = [];
  if (kind !== undefined && kind !== "code")
    problems.push({
      path: ["package"],
      message: `"${declaration.package}" is ${kind}; only code is packaged by this step`,
      hint: "A step makes code with makes: { code: FOLDER }.",
    });
  if (formOf(declaration) === "image") return problems;
  for (const key of IMAGE_KEYS)
    if (declaration[key] !== undefined)
      problems.push({
        path: [key],
        message: `"${key}" says nothing about an archive: it belongs to an image`,
        hint: "Remove it, or write as: image.",
      });
  return problems;
}

async function findLocks(
  { locks }: PackageDeclaration,
  context: AnalysisContext,
): Promise<{ readonly files: readonly string[]; readonly problems: readonly Problem[] }> {
  const files: string[] = [];
  const problems: Problem[] = [];
  for (const [index, path] of (locks ?? USUAL_LOCK_FILES).entries()) {
    const isThere = (await context.readFile(path)) !== undefined;
    if (isThere && isLockFile(path)) files.push(path);
    else if (locks !== undefined)
      problems.push({
        path: ["locks", index],
        message: isThere ? `"${path}" is no lock file that is known` : `There is no file "${path}"`,
        hint: `Known are ${USUAL_LOCK_FILES.join(", ")}, in any folder of the project.`,
      });
  }
  return { files, problems };
}

/** An asset, or a folder: its index names all else by digest, so that it alone decides. */
async function analyseBase(
  { base }: PackageDeclaration,
  context: AnalysisContext,
): Promise<{
  readonly asset?: string;
  readonly files: readonly string[];
  readonly problems: readonly Problem[];
}> {
  if (base === undefined) return { files: [], problems: [] };
  const { place } = splitTag(base);
  const refuse = (message: string): { readonly files: readonly string[]; readonly problems: readonly Problem[] } => ({
    files: [],
    problems: [{ path: ["base"], message, hint: "skopeo copy docker://IMAGE oci:FOLDER:TAG writes such a folder." }],
  });
  const kind = context.knownAssets.get(place);
  if (kind === "code") return { asset: place, files: [], problems: [] };
  if (kind !== undefined) return refuse(`"${place}" is ${kind}, expected code that holds an OCI image layout`);
  if (isAbsolute(place) || normalize(place).startsWith("..")) return refuse(`"${place}" is outside of the project`);
  const index = join(place, "index.json");
  if ((await context.readFile(index)) === undefined)
    return refuse(`There is neither code "${place}" nor an OCI image layout in the folder "${place}"`);
  return { files: [index], problems: [] };
}

/** `images/node:22` → folder and tag; a folder may not hold a colon. */
function splitTag(base: string): { readonly place: string; readonly tag?: string } {
  const colon = base.lastIndexOf(":");
  return colon < 0 ? { place: base } : { place: base.slice(0, colon), tag: base.slice(colon + 1) };
}

interface Packed {
  readonly name: string;
  readonly digest: Digest;
  readonly facts: Readonly<Record<string, Json>>;
  readonly base?: { readonly name: string; readonly digest: Digest };
}

async function execute(attempt: AttemptContext<PackageDeclaration>): Promise<StepOutcome> {
  const { declaration, step } = attempt;
  const version = attempt.inputs.get(declaration.package);
  if (version === undefined || version.kind !== "code")
    throw codeNotPackable({ asset: declaration.package, problem: "it is no code that a step made" });
  const { path } = await attempt.locate(version);
  const folder = join(attempt.workFolder, "package");
  await mkdir(folder, { recursive: true });
  const locks = await readLocks(attempt);
  const packed =
    formOf(declaration) === "archive"
      ? await packArchive(attempt, await entriesOf(path), folder)
      : await packImage(attempt, path, folder);
  const bill = formatBill(
    {
      name: step,
      type: formOf(declaration) === "image" ? "container" : "application",
      digest: packed.digest,
      base: packed.base,
    },
    locks.map(({ packages }) => packages),
  );
  await writeFile(join(folder, BILL_FILE), bill);
  const provenance = formatProvenance({
    subject: { name: packed.name, digest: packed.digest },
    project: attempt.project,
    pipeline: attempt.pipeline,
    step,
    declaration: declarationAsJson(declaration),
    recipe: attempt.recipe,
    commit: attempt.commit,
    materials: [
      { name: version.asset, digest: version.digest, kind: "code" },
      ...locks.map(({ path: name, digest }) => ({ name, digest, kind: "lock file" })),
      ...(packed.base === undefined ? [] : [{ ...packed.base, kind: "base image" }]),
    ],
  });
  await writeFile(join(folder, PROVENANCE_FILE), provenance);
  const published = await attempt.publish({ asset: step, kind: "code", folder });
  attempt.log(`${packed.name}: ${packed.digest}`);
  return {
    status: "succeeded",
    made: [published.made],
    facts: {
      ...packed.facts,
      digest: packed.digest,
      packages: locks.reduce((sum, { packages }) => sum + packages.packages.length, 0),
    },
    ...(published.alsoWrite === undefined ? {} : { alsoWrite: published.alsoWrite }),
  };
}

function declarationAsJson(declaration: PackageDeclaration): Json {
  return JSON.parse(JSON.stringify(declaration));
}

async function readLocks(
  attempt: AttemptContext<PackageDeclaration>,
): Promise<readonly { readonly path: string; readonly digest: Digest; readonly packages: LockedPackages }[]> {
  const found = [];
  for (const path of attempt.files.filter(isLockFile)) {
    const text = await readFile(join(attempt.projectFolder, path), "utf8");
    const packages = await readLockFile(path, text);
    for (const line of packages.unread) attempt.log(`${path}: ${line}`, "stderr");
    found.push({ path, digest: digestOf(text), packages });
  }
  if (found.length === 0) attempt.log("no lock file was found: the bill of materials names no packages", "stderr");
  return found;
}

async function packArchive(
  { step, signal }: AttemptContext<PackageDeclaration>,
  entries: readonly TarEntry[],
  folder: string,
): Promise<Packed> {
  const name = `${step}.tar.gz`;
  const { digest, sizeBytes } = await writeArchive(entries, join(folder, name), signal);
  return { name, digest, facts: { files: countFiles(entries), sizeBytes } };
}

async function packImage(attempt: AttemptContext<PackageDeclaration>, code: string, folder: string): Promise<Packed> {
  const { declaration, step, signal } = attempt;
  const at = normalize(declaration.at ?? "/app").replace(/\/+$/, "");
  const entries = await entriesOf(code, at === "" ? "" : `${at.slice(1)}/`);
  const whiteout = entries.find(({ path }) => WHITEOUT.test(path));
  if (whiteout !== undefined)
    throw codeNotPackable({
      asset: declaration.package,
      problem: `${whiteout.path} has a name that begins with .wh., which removes a file of an image`,
    });
  const base = await openBase(attempt);
  const written = await writeImage(join(folder, IMAGE_FOLDER), {
    entries,
    base: base?.image,
    tag: declaration.tag ?? "latest",
    signal,
    settings: {
      platform: declaration.platform ?? "linux/amd64",
      entrypoint: declaration.entrypoint,
      command: declaration.command,
      environment: declaration.env ?? {},
      ports: declaration.ports ?? [],
      user: declaration.user,
      workingFolder: at === "" ? "/" : at,
      labels: declaration.labels ?? {},
    },
  });
  return {
    name: step,
    digest: written.manifestDigest,
    facts: {
      files: countFiles(entries),
      layers: written.layers,
      sizeBytes: written.sizeBytes,
      platform: written.platform,
    },
    ...(base === undefined ? {} : { base: { name: base.name, digest: base.image.digest } }),
  };
}

function countFiles(entries: readonly TarEntry[]): number {
  return entries.filter(({ file }) => file !== undefined).length;
}

async function openBase(
  attempt: AttemptContext<PackageDeclaration>,
): Promise<{ readonly name: string; readonly image: BaseImage } | undefined> {
  const { declaration, projectFolder } = attempt;
  if (declaration.base === undefined) return undefined;
  const { place, tag } = splitTag(declaration.base);
  const version = attempt.inputs.get(place);
  const located = version === undefined ? undefined : (await attempt.locate(version)).path;
  const folder = located === undefined ? join(projectFolder, place) : await layoutIn(located);
  const image = await readBaseImage({
    folder,
    inside: [located ?? projectFolder],
    asset: attempt.step,
    tag,
    platform: declaration.platform,
  });
  return { name: declaration.base, image };
}

/** What another step packaged has its layout in a folder of its own. */
async function layoutIn(folder: string): Promise<string> {
  const own = join(folder, IMAGE_FOLDER);
  return (await stat(join(own, "oci-layout")).catch(() => undefined)) === undefined ? folder : own;
}
