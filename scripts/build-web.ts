// Builds the web page into web/dist: `npm run build:web`. Does nothing when its sources have not changed; `--force`
// builds anyway.
import { createHash } from "node:crypto";
import { glob, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";

const root = resolve(import.meta.dirname, "..");
const web = join(root, "web");
const dist = join(web, "dist");
const STAMP = join(dist, "sources.sha256");
const SOURCES = [
  "web/{routes,pages,models,services,ui,messages,public}/**/*",
  "web/{index.html,main.tsx,vite.config.ts,package.json}",
  "src/api/*.ts",
  "package-lock.json",
];

/** Most that a browser loads before the first page can be drawn: scripts and styles, gzipped. */
export const LARGEST_START_BYTES = 200_000;

/** Builds when the sources differ from those of the last build. Resolves to whether it built. */
export async function buildWeb(options: { readonly force?: boolean; readonly quiet?: boolean } = {}): Promise<boolean> {
  const digest = await sourceDigest();
  const stamp = await readFile(STAMP, "utf8").catch(() => "");
  if (options.force !== true && stamp === digest) return false;
  const { build } = await import("vite");
  await build({
    root: web,
    configFile: join(web, "vite.config.ts"),
    logLevel: options.quiet === true ? "error" : "warn",
  });
  await writeFile(STAMP, digest);
  return true;
}

interface Chunk {
  readonly file: string;
  readonly isEntry?: boolean;
  readonly imports?: readonly string[];
  readonly css?: readonly string[];
}

/**
 * Gzipped size in bytes of what the first page needs: the entry, what it imports at once, its styles and one language.
 */
export async function startSize(): Promise<number> {
  const manifest = JSON.parse(await readFile(join(dist, ".vite/manifest.json"), "utf8")) as Readonly<
    Record<string, Chunk>
  >;
  const files = new Set<string>();
  const visit = (key: string): void => {
    const chunk = manifest[key];
    if (chunk === undefined || files.has(chunk.file)) return;
    files.add(chunk.file);
    for (const style of chunk.css ?? []) files.add(style);
    for (const next of chunk.imports ?? []) visit(next);
  };
  for (const [key, chunk] of Object.entries(manifest))
    if (chunk.isEntry === true || key === "messages/en.ts") visit(key);
  const sizes = await Promise.all([...files].map(async (file) => gzipSync(await readFile(join(dist, file))).length));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function sourceDigest(): Promise<string> {
  const files = (await Array.fromAsync(glob(SOURCES, { cwd: root, withFileTypes: true })))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash("sha256");
  for (const file of files.sort()) hash.update(`${file.slice(root.length)}\n`).update(await readFile(file));
  return hash.digest("hex");
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { force: { type: "boolean", default: false } } });
  const started = performance.now();
  const built = await buildWeb({ force: values.force });
  const size = await startSize();
  const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;
  process.stdout.write(
    `${built ? `built web/dist in ${((performance.now() - started) / 1000).toFixed(1)} s` : "web/dist is up to date"}; the first page needs ${kilobytes(size)} gzipped\n`,
  );
  if (size > LARGEST_START_BYTES) {
    process.stderr.write(
      `That is more than ${kilobytes(LARGEST_START_BYTES)}: load pages and heavy libraries with import().\n`,
    );
    process.exitCode = 1;
  }
}
