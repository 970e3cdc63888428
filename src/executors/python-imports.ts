import { posix } from "node:path";

/** Where the files of a project are looked up: undefined for what is not there or leads out of the project. */
export interface SourceReader {
  readFile(path: string): Promise<string | undefined>;
  glob(pattern: string): Promise<readonly string[]>;
}

/** One source whose imports are followed; it need not be a file (the cells of a notebook). */
export interface PythonSource {
  readonly text: string;
  /** Project-relative folder that the interpreter puts first on `sys.path`. */
  readonly folder: string;
}

interface ImportedModule {
  /** Dots of a relative import; 0 for an absolute one. */
  readonly level: number;
  /** `a.b`; empty for `from . import x`. */
  readonly name: string;
  /** Names after `import`: they may be modules themselves. `*` takes the whole package. */
  readonly members: readonly string[];
}

interface SourceImports {
  readonly modules: readonly ImportedModule[];
  /** Scripts that it runs: `%run`, `runpy.run_path("…")`. */
  readonly scripts: readonly string[];
  /** Folders that it adds to `sys.path`, literally. */
  readonly roots: readonly string[];
}

/**
 * What `sys.path` holds beside the script's own folder: the working folder of kernels, and the usual folder of sources.
 */
const USUAL_ROOTS = ["", "src"] as const;
const REMEMBERED = 500;
const parsed = new Map<string, Promise<SourceImports>>();

/**
 * The project's files that a Python source imports, directly and through others, sorted; the source itself is not among
 * them.
 *
 * Found by parsing: `import a.b`, `from .c import d`, `importlib.import_module("a")`, `__import__("a")`,
 * `runpy.run_path("a.py")`,
 * `runpy.run_module("a")` and `%run a.py`. A name that could mean two files stands for both: one too many costs a run,
 * one too few a stale result. What is imported under a name that is computed cannot be known.
 */
export async function findImportedFiles(source: PythonSource, reader: SourceReader): Promise<readonly string[]> {
  const found = new Set<string>();
  const known = new Map<string, Promise<string | undefined>>();
  const read = (path: string): Promise<string | undefined> => {
    const asked = known.get(path) ?? reader.readFile(path);
    known.set(path, asked);
    return asked;
  };
  const roots = new Set<string>([source.folder, ...USUAL_ROOTS]);
  const waiting: { readonly imports: SourceImports; readonly folder: string }[] = [
    { imports: await readImports(source.text), folder: source.folder },
  ];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { imports, folder } = next;
    for (const root of imports.roots) for (const base of ["", folder]) roots.add(inside(posix.join(base, root)));
    const candidates = [
      ...imports.scripts.flatMap((script) => [inside(script), inside(posix.join(folder, script))]),
      ...(await Promise.all(imports.modules.map((module) => candidatesOf(module, { folder, roots, reader })))).flat(),
    ];
    for (const path of new Set(candidates)) {
      if (found.has(path)) continue;
      const text = await read(path);
      if (text === undefined) continue;
      found.add(path);
      waiting.push({ imports: await readImports(text), folder: folderOf(path) });
    }
  }
  return [...found].sort();
}

/** Paths that a module and its members could be, with the `__init__.py` of the packages on the way. */
async function candidatesOf(
  module: ImportedModule,
  place: { readonly folder: string; readonly roots: ReadonlySet<string>; readonly reader: SourceReader },
): Promise<readonly string[]> {
  const bases = module.level === 0 ? [...place.roots] : [upwards(place.folder, module.level - 1)];
  const parts = module.name === "" ? [] : module.name.split(".");
  const paths: string[] = [];
  for (const base of bases) {
    for (let length = 1; length <= parts.length; length++)
      paths.push(...moduleAt(posix.join(base, ...parts.slice(0, length))));
    const package_ = posix.join(base, ...parts);
    if (parts.length === 0) paths.push(posix.join(package_, "__init__.py"));
    for (const member of module.members) {
      if (member !== "*") paths.push(...moduleAt(posix.join(package_, member)));
      else if (module.level > 0 || (await place.reader.readFile(posix.join(package_, "__init__.py"))) !== undefined)
        paths.push(...(await place.reader.glob(posix.join(package_, "*.py"))));
    }
  }
  return paths.map(inside);
}

const moduleAt = (path: string): readonly string[] => [`${path}.py`, posix.join(path, "__init__.py")];

function upwards(folder: string, levels: number): string {
  let at = folder;
  for (let level = 0; level < levels; level++) at = folderOf(at);
  return at;
}

function folderOf(path: string): string {
  const folder = posix.dirname(path);
  return folder === "." ? "" : folder;
}

/** Normal and without `./`; a path out of the project stays one, and is no file of it. */
function inside(path: string): string {
  const normal = posix.normalize(path);
  return normal === "." ? "" : normal.replace(/\/$/, "");
}

function readImports(text: string): Promise<SourceImports> {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const reading = parseImports(text);
  parsed.set(text, reading);
  if (parsed.size > REMEMBERED) parsed.delete(parsed.keys().next().value ?? "");
  return reading;
}

async function parseImports(source: string): Promise<SourceImports> {
  const { parser } = await import("@lezer/python");
  const modules: ImportedModule[] = [];
  const scripts: string[] = [];
  const roots: string[] = [];
  for (const [, path = ""] of source.matchAll(/^\s*%run\s+(?:-\w+\s+)*["']?([^\s"']+)/gm))
    scripts.push(path.endsWith(".py") ? path : `${path}.py`);
  const text = source.replace(/^\s*[%!].*$/gm, (line) => `#${" ".repeat(Math.max(0, line.length - 1))}`);
  parser.parse(text).iterate({
    enter(node) {
      if (node.name === "ImportStatement") modules.push(...modulesOf(text.slice(node.from, node.to)));
      if (node.name !== "CallExpression") return;
      const [, callee = "", list = ""] = /^([\w.]+)\s*\(([\s\S]*)\)$/.exec(text.slice(node.from, node.to)) ?? [];
      const literals = [...list.matchAll(/"([^"\\\n]*)"|'([^'\\\n]*)'/g)].map(
        ([, double, single]) => double ?? single ?? "",
      );
      const [first] = literals;
      if (first === undefined) return;
      if (/(^|\.)(import_module|__import__|run_module)$/.test(callee))
        modules.push({
          level: /^\.*/.exec(first)?.[0].length ?? 0,
          name: first.replace(/^\.+/, ""),
          members: ["__main__"],
        });
      if (/(^|\.)run_path$/.test(callee)) scripts.push(first);
      if (/(^|\.)path\.(append|insert|extend)$|(^|\.)addsitedir$/.test(callee))
        roots.push(...literals.filter((literal) => !literal.startsWith("/")));
    },
  });
  return { modules, scripts, roots };
}

/** The modules of one import statement, whose comments and line breaks are nothing to it. */
function modulesOf(statement: string): readonly ImportedModule[] {
  const text = statement.replace(/#.*$/gm, "").replace(/\\\n/g, " ").replace(/\s+/g, " ").trim();
  const [, from, list] = /^from ([. \w]+?) ?import ?(.*)$/.exec(text) ?? [];
  const names = (list ?? text.replace(/^import /, ""))
    .replace(/[()]/g, "")
    .split(",")
    .map((name) => name.trim().split(" ")[0] ?? "")
    .filter((name) => name !== "");
  if (from === undefined) return names.map((name) => ({ level: 0, name, members: [] }));
  const path = from.replaceAll(" ", "");
  const level = /^\.*/.exec(path)?.[0].length ?? 0;
  return [{ level, name: path.slice(level), members: names }];
}
