// Bundles the command line and the programs it starts into dist/: `npm run build:cli`. `bin/esteira` runs the bundle
// while it is newer than every source, and the sources otherwise. Does nothing when they have not changed.
import { glob, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { digestOf } from "#base";

const root = resolve(import.meta.dirname, "..");
const dist = join(root, "dist");
/** Names the folder of the newest bundle; as old as the youngest source that is in it, or older. */
const CURRENT = join(dist, "current");
/** Bundles of earlier sources stay for the processes that run from them. */
const KEPT_BUNDLES = 3;

/**
 * Bundles when a source is younger than the bundle. Resolves to whether it did. What is native or loads files of its
 * own is left to `node_modules`.
 */
export async function buildCli(): Promise<boolean> {
  const startedAt = new Date();
  if (await isCurrent()) return false;
  const { rolldown } = await import("rolldown");
  const { dependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  // What has no CommonJS form has to be among them.
  const bundled = new Set(["kysely", "zod", "pg", "croner", "yaml", "@actions/expressions"]);
  const external = Object.keys(dependencies).filter((name) => !bundled.has(name));
  const bundle = await rolldown({
    cwd: root,
    input: await findPrograms(),
    platform: "node",
    plugins: [
      {
        name: "bundled-yaml",
        resolveId: (source) => (source === "./load-yaml.ts" ? join(root, "scripts/bundled-yaml.ts") : null),
      },
      {
        // Its namespace holds sixty languages; messages are ours or English.
        name: "one-language",
        transform: (_code, id) =>
          id.endsWith("zod/v4/locales/index.js") ? 'export { default as en } from "./en.js";' : null,
      },
    ],
    external: [...external.map((name) => new RegExp(`^${name}(/|$)`)), "pg-native", "pg-cloudflare"],
    logLevel: "silent",
    // A door names a whole module; a command loads only what it uses of it.
    treeshake: { moduleSideEffects: (id) => !id.startsWith(join(root, "src")) },
  });
  await mkdir(dist, { recursive: true });
  const partial = await mkdtemp(join(dist, "partial-"));
  try {
    // CommonJS takes a fifth less processor time to load than the same chunks as modules.
    await bundle.write({ dir: partial, format: "cjs", chunkFileNames: "[name]-[hash].js" });
    await writeFile(join(partial, "package.json"), '{"type":"commonjs"}\n');
    await put(partial, startedAt);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return true;
}

/** The command line, and the programs that run in a process or thread of their own: what `entryFile` is asked for. */
export async function findPrograms(): Promise<Readonly<Record<string, string>>> {
  const programs: Record<string, string> = { main: "src/cli/main.ts" };
  for await (const file of glob("src/**/*.ts", { cwd: root })) {
    const text = await readFile(join(root, file), "utf8");
    for (const [, name = ""] of text.matchAll(/entryFile\("([a-z-]+)", import\.meta\.url\)/g))
      programs[name] = join(dirname(file), `${name}.ts`);
  }
  return programs;
}

async function put(partial: string, startedAt: Date): Promise<void> {
  const files = (await readdir(partial)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(partial, file), "utf8")));
  const name = digestOf(texts.join("\n")).slice(7, 23);
  await rename(partial, join(dist, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
  await writeFile(`${CURRENT}.part`, name);
  await utimes(`${CURRENT}.part`, startedAt, startedAt);
  await rename(`${CURRENT}.part`, CURRENT);
  await forgetOld(name);
}

async function forgetOld(current: string): Promise<void> {
  const folders = (await readdir(dist)).filter((name) => /^[0-9a-f]{16}$/.test(name) && name !== current);
  const aged = await Promise.all(folders.map(async (name) => ({ name, atMs: (await stat(join(dist, name))).mtimeMs })));
  for (const { name } of aged.sort((left, right) => right.atMs - left.atMs).slice(KEPT_BUNDLES - 1))
    await rm(join(dist, name), { recursive: true, force: true });
}

async function isCurrent(): Promise<boolean> {
  const made = (await stat(CURRENT).catch(() => undefined))?.mtimeMs ?? -Infinity;
  const listed = await readdir(join(root, "src"), { recursive: true, withFileTypes: true });
  const paths = [
    join(root, "src"),
    join(root, "package-lock.json"),
    ...listed.map((entry) => join(entry.parentPath, entry.name)),
  ];
  const times = await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs));
  return times.every((time) => time < made);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { quiet: { type: "boolean", default: false } } });
  const built = await buildCli();
  if (!values.quiet) process.stdout.write(built ? "The command line is bundled in dist/.\n" : "dist/ is current.\n");
}
