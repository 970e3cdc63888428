// Code as images and archives: what a step makes of a folder.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, cp, mkdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { digestOf, isEsteiraError } from "#base";
import type { AssetVersion } from "#metadata-store";
import { createPackageKind, type PackageDeclaration } from "#packaging";
import { createFileSystemBlobs } from "#storage";
import { testAttempt } from "../setup/attempt.ts";
import { temporaryFolder } from "../setup/stores.ts";

const LOCK = JSON.stringify({
  lockfileVersion: 3,
  packages: {
    "": { name: "app", dependencies: { a: "^1" }, devDependencies: { t: "*" } },
    "node_modules/a": {
      version: "1.0.0",
      resolved: "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
      integrity: `sha512-${Buffer.alloc(64, 7).toString("base64")}`,
      license: "MIT",
      dependencies: { "@s/b": "^2" },
    },
    "node_modules/@s/b": { version: "1.5.0" },
    "node_modules/a/node_modules/@s/b": { version: "2.0.0" },
    "node_modules/t": { version: "3.0.0", dev: true, peerDependencies: { a: "1" } },
    "node_modules/own": { resolved: "own", link: true },
    own: { version: "0.0.1" },
  },
});

const codeVersion = (asset: string): AssetVersion => ({
  id: `01${asset}`,
  project: "p",
  asset,
  kind: "code",
  version: 1,
  digest: digestOf(asset),
  madeAtMs: 0,
  pipelineRunId: undefined,
  stepRunId: undefined,
  rowCount: undefined,
  expiredAtMs: undefined,
  sizeBytes: undefined,
  content: {},
});

interface Packed {
  readonly digest: string;
  readonly logged: readonly string[];
  /** Of the version that was made. */
  read(path: string): Promise<Buffer>;
  json(path: string): Promise<Record<string, unknown>>;
}

/** Packs `code` (and a base) as a step does, in folders of its own. */
async function pack(
  declaration: Partial<PackageDeclaration>,
  options: {
    readonly code: string;
    readonly bases?: Readonly<Record<string, string>>;
    readonly project?: string;
    readonly files?: readonly string[];
  },
): Promise<Packed> {
  const objects = createFileSystemBlobs(join(await temporaryFolder(), "objects"));
  const folders: Readonly<Record<string, string>> = { app: options.code, ...options.bases };
  const attempt = await testAttempt(
    { package: "app", ...declaration },
    {
      projectFolder: options.project ?? (await temporaryFolder()),
      objects,
      step: "packed",
      files: options.files ?? [],
      inputs: new Map(Object.keys(folders).map((asset) => [asset, codeVersion(asset)])),
      located: ({ asset }) => ({ format: "tree/1", path: folders[asset] ?? "" }),
    },
  );
  const outcome = await createPackageKind().execute(attempt);
  assert.equal(outcome.status, "succeeded");
  const made = outcome.status === "succeeded" ? outcome.made[0] : undefined;
  assert.ok(made !== undefined);
  const read = (path: string): Promise<Buffer> => readFile(join(attempt.workFolder, "package", path));
  return {
    digest: made.digest,
    logged: attempt.logged.map(({ text }) => text),
    read,
    json: async (path) => JSON.parse((await read(path)).toString()) as Record<string, unknown>,
  };
}

const LONG = `${"very-long-folder-name/".repeat(6)}fim-é.txt`;

async function makeCode(order: "forth" | "back"): Promise<string> {
  const folder = await temporaryFolder();
  const files = [
    ["server.mjs", "serve()"],
    ["bin/start", "#!/bin/sh\n"],
    ["b/x", "x"],
    ["b.txt", "y"],
    [LONG, "long"],
    ["empty", ""],
  ] as const;
  for (const [path, text] of order === "forth" ? files : [...files].reverse()) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), text);
    const at = new Date(order === "forth" ? 1e12 : 1.5e12);
    await utimes(join(folder, path), at, at);
  }
  await chmod(join(folder, "bin/start"), order === "forth" ? 0o755 : 0o700);
  await chmod(join(folder, "b.txt"), order === "forth" ? 0o644 : 0o600);
  return folder;
}

const run = promisify(execFile);

it("the same code is the same archive, whenever, wherever and by whom its folder was written", async () => {
  const [one, two] = await Promise.all(
    (["forth", "back"] as const).map(async (order) => pack({ as: "archive" }, { code: await makeCode(order) })),
  );
  assert.equal(one?.digest, two?.digest);
  const archive = (await one?.read("packed.tar.gz")) ?? Buffer.alloc(0);
  assert.deepEqual([...archive.subarray(0, 10)], [31, 139, 8, 0, 0, 0, 0, 0, 2, 255]);
  const folder = await temporaryFolder();
  await writeFile(join(folder, "a.tar.gz"), archive);
  const { stdout } = await run("tar", ["tvzf", join(folder, "a.tar.gz"), "--full-time", "--utc"]);
  assert.match(stdout, /^-rwxr-xr-x 0\/0 +10 1970-01-01 00:00:00 bin\/start$/m);
  assert.match(stdout, /^-rw-r--r-- 0\/0 +1 1970-01-01 00:00:00 b\.txt$/m);
  await run("tar", ["xzf", join(folder, "a.tar.gz"), "-C", folder]);
  assert.equal(await readFile(join(folder, LONG), "utf8"), "long");
});

it("an image from scratch has its code in one layer, and another has it in one more above", async () => {
  const code = await makeCode("forth");
  const base = await pack(
    { at: "/opt/tool", env: { A: "1", PATH: "/bin" }, entrypoint: ["/opt/tool/bin/start"], command: ["x"] },
    { code },
  );
  const baseFolder = await temporaryFolder();
  const baseIndex = await base.json("image/index.json");
  const packedAs = async (order: "forth" | "back"): Promise<Packed> =>
    pack(
      { base: "tool", command: ["serve"], env: { A: "2", B: "é" }, ports: [8080], user: "7:7", tag: "v1" },
      { code: await makeCode(order), bases: { tool: baseFolder } },
    );
  const manifestOf = async (packed: Packed): Promise<{ digest: string; text: Buffer }> => {
    const { manifests } = (await packed.json("image/index.json")) as { manifests: { digest: string }[] };
    const digest = manifests[0]?.digest ?? "";
    return { digest, text: await packed.read(`image/blobs/sha256/${digest.slice(7)}`) };
  };
  const first = await manifestOf(base);
  assert.equal(digestOf(first.text), first.digest);
  // The whole version as another step finds it.
  await copyImage(base, baseFolder);
  const [one, two] = [await packedAs("forth"), await packedAs("back")];
  assert.equal(one.digest, two.digest);
  const manifest = JSON.parse((await manifestOf(one)).text.toString()) as {
    config: { digest: string };
    layers: { digest: string; size: number }[];
    annotations: Record<string, string>;
  };
  assert.equal(manifest.layers.length, 2);
  assert.equal(manifest.annotations["org.opencontainers.image.base.digest"], first.digest);
  const config = (await one.json(`image/blobs/sha256/${manifest.config.digest.slice(7)}`)) as {
    config: Record<string, unknown>;
    rootfs: { diff_ids: string[] };
    history: unknown[];
  };
  assert.deepEqual(config.config, {
    Entrypoint: ["/opt/tool/bin/start"],
    Cmd: ["serve"],
    Env: ["PATH=/bin", "A=2", "B=é"],
    ExposedPorts: { "8080/tcp": {} },
    User: "7:7",
    WorkingDir: "/app",
  });
  assert.equal(config.history.length, 2);
  for (const [index, layer] of manifest.layers.entries()) {
    const bytes = await one.read(`image/blobs/sha256/${layer.digest.slice(7)}`);
    assert.deepEqual([digestOf(bytes), bytes.length], [layer.digest, layer.size]);
    assert.equal(digestOf(gunzipSync(bytes)), config.rootfs.diff_ids[index]);
  }
  assert.equal((baseIndex["manifests"] as unknown[]).length, 1);
});

async function copyImage(packed: Packed, to: string): Promise<void> {
  const { manifests } = (await packed.json("image/index.json")) as { manifests: { digest: string }[] };
  const manifest = JSON.parse(
    (await packed.read(`image/blobs/sha256/${manifests[0]?.digest.slice(7)}`)).toString(),
  ) as { config: { digest: string }; layers: { digest: string }[] };
  await mkdir(join(to, "blobs/sha256"), { recursive: true });
  const blobs = [manifests[0], manifest.config, ...manifest.layers].map(
    (one) => `blobs/sha256/${one?.digest.slice(7)}`,
  );
  for (const path of ["index.json", "oci-layout", ...blobs])
    await writeFile(join(to, path), await packed.read(`image/${path}`));
}

it("a base image that is damaged, ambiguous or elsewhere is refused, and nothing outside is read", async () => {
  const code = await makeCode("forth");
  const project = await temporaryFolder();
  const good = join(project, "good");
  await copyImage(await pack({ tag: "one" }, { code }), good);
  const refused = async (change: (folder: string) => Promise<void>, said: RegExp, base = "base"): Promise<void> => {
    const folder = join(project, "base");
    await rm(folder, { recursive: true, force: true });
    await cp(good, folder, { recursive: true });
    await change(folder);
    await assert.rejects(pack({ base }, { code, project }), (error) => {
      assert.ok(isEsteiraError(error));
      assert.match(error.message, said);
      return true;
    });
  };
  const index = JSON.parse(await readFile(join(good, "index.json"), "utf8")) as {
    manifests: { digest: string; mediaType: string }[];
  };
  const writeIndex = (folder: string, manifests: unknown): Promise<void> =>
    writeFile(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  const manifestPath = `blobs/sha256/${index.manifests[0]?.digest.slice(7)}`;
  const { layers } = JSON.parse(await readFile(join(good, manifestPath), "utf8")) as { layers: { digest: string }[] };
  const layerPath = `blobs/sha256/${layers[0]?.digest.slice(7)}`;
  await refused((folder) => rm(join(folder, "oci-layout")), /there is no oci-layout in it/);
  await refused((folder) => writeFile(join(folder, manifestPath), "{"), /is no JSON/);
  await refused(
    async (folder) => writeFile(join(folder, manifestPath), `${await readFile(join(folder, manifestPath), "utf8")} `),
    /does not have the digest that names it/,
  );
  await refused((folder) => writeFile(join(folder, layerPath), "other"), /is damaged/);
  await refused((folder) => rm(join(folder, layerPath)), /there is no blobs/);
  await refused((folder) => writeIndex(folder, [...index.manifests, ...index.manifests]), /holds 2 images/);
  await refused(async () => {}, /0 with the tag two; name one of one as FOLDER:TAG/, "base:two");
  await refused(
    (folder) => writeIndex(folder, [{ ...index.manifests[0], digest: "sha256:../../../../etc/passwd" }]),
    /expected sha256: and 64/,
  );
  await refused(
    (folder) =>
      writeIndex(folder, [
        { ...index.manifests[0], mediaType: "application/vnd.docker.distribution.manifest.v2+json" },
      ]),
    /expected application\/vnd\.oci\.image\.manifest/,
  );
  const outside = join(await temporaryFolder(), "layer");
  await cp(join(good, layerPath), outside);
  await refused(async (folder) => {
    await rm(join(folder, layerPath));
    await symlink(outside, join(folder, layerPath));
  }, /is a link to|not.*folder/);
  await pack({ base: "good:one" }, { code, project });
});

it("a file that would remove one of the layers below is refused", async () => {
  const code = await temporaryFolder();
  await mkdir(join(code, "lib"));
  await writeFile(join(code, "lib/.wh.passwd"), "");
  await assert.rejects(pack({}, { code }), /app\/lib\/\.wh\.passwd has a name that begins with \.wh\./);
  await pack({ as: "archive" }, { code });
});

it("the bill of materials has each package of the lock files once, with what it needs", async () => {
  const project = await temporaryFolder();
  await writeFile(join(project, "package-lock.json"), LOCK);
  await writeFile(
    join(project, "requirements.txt"),
    `Typing_Extensions==4.12.2 \\\n    --hash=sha256:${"ab".repeat(32)}\nflask[async,x]==3.0.0 ; python_version > "3.8"\nnumpy>=1.26 # newest\n-r other.txt\n--index-url https://x\nfoo==1.*\n`,
  );
  await writeFile(
    join(project, "uv.lock"),
    `version = 1
[[package]]
name = "mine"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "httpx" }]
[package.dev-dependencies]
dev = [{ name = "pytest" }]
[[package]]
name = "httpx"
version = "0.27.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [{ name = "idna", marker = "python_version > '3'" }]
wheels = [{ url = "https://files/httpx.whl", hash = "sha256:${"cd".repeat(32)}" }]
[[package]]
name = "idna"
version = "3.7"
[[package]]
name = "pytest"
version = "8.0.0"
`,
  );
  await writeFile(
    join(project, "poetry.lock"),
    `[[package]]\nname = "Click"\nversion = "8.1.7"\ngroups = ["main"]\nfiles = [{file = "click.whl", hash = "sha256:${"ef".repeat(32)}"}]\n[package.dependencies]\ncolorama = {version = "*", markers = "x"}\n[[package]]\nname = "colorama"\nversion = "0.4.6"\ngroups = ["dev"]\n`,
  );
  const files = ["package-lock.json", "poetry.lock", "requirements.txt", "uv.lock"];
  const packed = await pack({ as: "archive" }, { code: await makeCode("forth"), project, files });
  const bill = (await packed.json("sbom.cdx.json")) as {
    components: { purl: string; scope: string; "bom-ref": string }[];
    dependencies: { ref: string; dependsOn?: string[] }[];
  };
  assert.deepEqual(Object.fromEntries(bill.components.map(({ purl, scope }) => [purl, scope])), {
    "pkg:npm/%40s/b@1.5.0": "required",
    "pkg:npm/%40s/b@2.0.0": "required",
    "pkg:npm/a@1.0.0": "required",
    "pkg:npm/t@3.0.0": "excluded",
    "pkg:pypi/click@8.1.7": "required",
    "pkg:pypi/colorama@0.4.6": "excluded",
    "pkg:pypi/flask@3.0.0": "required",
    "pkg:pypi/foo": "required",
    "pkg:pypi/httpx@0.27.0": "required",
    "pkg:pypi/idna@3.7": "required",
    "pkg:pypi/numpy": "required",
    "pkg:pypi/pytest@8.0.0": "excluded",
    "pkg:pypi/typing-extensions@4.12.2": "required",
  });
  const needs = Object.fromEntries(bill.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  assert.deepEqual(needs["pkg:npm/a@1.0.0"], ["pkg:npm/%40s/b@2.0.0"]);
  assert.deepEqual(needs["pkg:npm/t@3.0.0"], ["pkg:npm/a@1.0.0"]);
  assert.deepEqual(needs["pkg:pypi/httpx@0.27.0"], ["pkg:pypi/idna@3.7"]);
  assert.deepEqual(
    needs["esteira:packaged"]?.filter((one) => one.startsWith("pkg:npm")),
    ["pkg:npm/a@1.0.0", "pkg:npm/t@3.0.0"],
  );
  assert.deepEqual(
    packed.logged.filter((line) => line.startsWith("requirements.txt")),
    ["numpy>=1.26 (no exact version)", "-r other.txt", "foo==1.* (no exact version)"].map(
      (line) => `requirements.txt: ${line}`,
    ),
  );
  const statement = (await packed.json("provenance.intoto.json")) as {
    subject: { name: string; digest: { sha256: string } }[];
    predicate: { buildDefinition: { resolvedDependencies: { name: string; digest: Record<string, string> }[] } };
  };
  assert.equal(`sha256:${statement.subject[0]?.digest.sha256}`, digestOf(await packed.read("packed.tar.gz")));
  const materials = statement.predicate.buildDefinition.resolvedDependencies;
  assert.deepEqual(
    materials.map(({ name }) => name),
    ["source", "app", ...files],
  );
  assert.equal(`sha256:${materials[2]?.digest["sha256"]}`, digestOf(LOCK));
});

it("a lock file that cannot be read fails the step and says which", async () => {
  const project = await temporaryFolder();
  for (const [name, text] of [
    ["package-lock.json", "{"],
    ["package-lock.json", "[]"],
    ["uv.lock", "a = "],
    ["pnpm-lock.yaml", "a: [b"],
  ] as const) {
    await writeFile(join(project, name), text);
    await assert.rejects(
      pack({ as: "archive" }, { code: project, project, files: [name] }),
      new RegExp(`The lock file ${name} cannot be read`),
    );
  }
});

it("older lock files of npm and those of pnpm are read as well", async () => {
  const project = await temporaryFolder();
  await writeFile(
    join(project, "package-lock.json"),
    JSON.stringify({
      lockfileVersion: 1,
      dependencies: {
        a: { version: "1.0.0", requires: { b: "2" }, dependencies: { b: { version: "2.0.0" } } },
        b: { version: "1.0.0", dev: true },
      },
    }),
  );
  await writeFile(
    join(project, "pnpm-lock.yaml"),
    "lockfileVersion: '9.0'\npackages:\n  '@x/y@1.2.3(z@1)': {resolution: {integrity: sha512-AAAA}}\n  /old/4.5.6: {dev: true}\n",
  );
  const files = ["package-lock.json", "pnpm-lock.yaml"];
  const packed = await pack({ as: "archive" }, { code: await makeCode("forth"), project, files });
  const { components, dependencies } = (await packed.json("sbom.cdx.json")) as {
    components: { purl: string }[];
    dependencies: { ref: string; dependsOn?: string[] }[];
  };
  assert.deepEqual(
    components.map(({ purl }) => purl),
    ["pkg:npm/%40x/y@1.2.3", "pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0", "pkg:npm/b@2.0.0", "pkg:npm/old@4.5.6"],
  );
  assert.deepEqual(dependencies.find(({ ref }) => ref === "pkg:npm/a@1.0.0")?.dependsOn, ["pkg:npm/b@2.0.0"]);
});
