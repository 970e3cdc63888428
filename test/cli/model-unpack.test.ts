// A model package that somebody hands over: checked whole before a file is written.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const TYPES = {
  artifact: "application/vnd.cncf.model.manifest.v1+json",
  path: "org.cncf.model.filepath",
  reference: "org.opencontainers.image.ref.name",
};

async function writePackage(folder: string, files: Readonly<Record<string, string>>): Promise<string> {
  const blobs = join(folder, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (text: string): Promise<{ digest: string; size: number }> => {
    const hex = createHash("sha256").update(text).digest("hex");
    await writeFile(join(blobs, hex), text);
    return { digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
  };
  const layers = await Promise.all(
    Object.entries(files).map(async ([path, text]) => ({
      mediaType: "application/octet-stream",
      ...(await put(text)),
      annotations: { [TYPES.path]: path },
    })),
  );
  const config = await put(JSON.stringify({ modelfs: { diffIds: layers.map(({ digest }) => digest) } }));
  const manifest = await put(JSON.stringify({ artifactType: TYPES.artifact, config, layers }));
  await writeFile(
    join(folder, "index.json"),
    JSON.stringify({ manifests: [{ ...manifest, annotations: { [TYPES.reference]: "v7" } }] }),
  );
  return layers[0]?.digest ?? "";
}

it("a whole package is written, a second one never over it", async () => {
  const folder = await temporaryFolder();
  await writePackage(join(folder, "package"), { "model.onnx": "weights", "data/ação.csv": "a,b\n" });
  const unpacked = await runEsteira(folder, ["model", "unpack", "package", "--to", "délai"]);
  assert.equal(unpacked.code, 0, unpacked.stderr);
  assert.match(unpacked.stdout, /2 files, 11 bytes/);
  assert.equal(await readFile(join(folder, "délai/model.onnx"), "utf8"), "weights");
  assert.equal(await readFile(join(folder, "délai/data/ação.csv"), "utf8"), "a,b\n");
  const again = await runEsteira(folder, ["model", "unpack", "package", "--to", "délai"]);
  assert.notEqual(again.code, 0);
  assert.match(again.stderr, /exists already/);
});

it("a damaged, foreign or escaping package writes nothing, and is told", async () => {
  const folder = await temporaryFolder();
  const digest = await writePackage(join(folder, "damaged"), { "model.onnx": "weights" });
  await writeFile(join(folder, "damaged/blobs/sha256", digest.slice(7)), "weightz");
  await writePackage(join(folder, "escaping"), { "../outside.txt": "x" });
  await writePackage(join(folder, "absolute"), { "/outside.txt": "x" });
  await mkdir(join(folder, "empty"));
  await mkdir(join(folder, "text"));
  await writeFile(join(folder, "text/index.json"), "not json");
  await mkdir(join(folder, "shape"));
  await writeFile(join(folder, "shape/index.json"), "{}");
  for (const [name, says] of [
    ["damaged", /model\.onnx has digest/],
    ["escaping", /leads out of the package/],
    ["absolute", /leads out of the package/],
    ["empty", /has no index\.json/],
    ["text", /index\.json is no JSON/],
    ["shape", /lists no manifests/],
    ["gone", /has no index\.json/],
  ] as const) {
    const { code, stderr } = await runEsteira(folder, ["model", "unpack", name, "--to", `out-${name}`]);
    assert.notEqual(code, 0, name);
    assert.match(stderr, says, name);
  }
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith("out")),
    [],
  );
  const missing = await runEsteira(folder, ["model", "unpack", "damaged", "--to", "x", "--reference", "v8"]);
  assert.match(missing.stderr, /holds no v8; found v7/);
});
