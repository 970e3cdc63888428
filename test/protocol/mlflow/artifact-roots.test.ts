import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { MLFLOW_CLIENTS, mlflowPython, runPython } from "../../setup/mlflow-client.ts";
import { type StartedServer, startServer } from "../../setup/started-server.ts";

const script = await readFile(new URL("client/artifact_roots.py", import.meta.url), "utf8");
const home = await mkdtemp(join(tmpdir(), "esteira-roots-"));
after(() => rm(home, { recursive: true, force: true }));

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Artifacts do not depend on the database: a store's own SQLite does. */
async function withServer(
  name: string,
  options: readonly string[],
  work: (server: StartedServer) => Promise<void>,
): Promise<void> {
  const folder = join(home, name);
  await mkdir(folder, { recursive: true });
  const server = await startServer(folder, {}, ["--store", join(folder, "store"), ...options]);
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

const get = async ({ url }: StartedServer, path: string): Promise<Answer> => {
  const response = await fetch(`${url}${path}`);
  return { status: response.status, text: await response.text() };
};
const post = async ({ url }: StartedServer, path: string, body: object): Promise<Answer & { readonly json: never }> => {
  const response = await fetch(`${url}/api/2.0/mlflow/${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  const text = await response.text();
  return { status: response.status, text, json: JSON.parse(text) as never };
};

async function newRun(
  server: StartedServer,
  experimentId = "0",
): Promise<{ readonly id: string; readonly location: string }> {
  const { json, text } = await post(server, "runs/create", { experiment_id: experimentId });
  const { run } = json as { run?: { info: { run_id: string; artifact_uri: string } } };
  assert.ok(run, text);
  return { id: run.info.run_id, location: run.info.artifact_uri };
}

/** A file that a client could have put at a run's location. */
async function lay(location: string): Promise<void> {
  const folder = location.startsWith("file:") ? fileURLToPath(location) : location;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "laid.txt"), "laid");
}

/** What the server shows of what the client wrote. */
async function assertShown(
  server: StartedServer,
  [runId = "", modelId = "", registered = ""]: readonly string[],
): Promise<void> {
  const listed = JSON.parse(
    (await get(server, `/ajax-api/2.0/mlflow/artifacts/list?run_id=${runId}&path=files`)).text,
  ) as { files: readonly { path: string }[] };
  assert.deepEqual(listed.files.map(({ path }) => path).sort(), ["files/plain.txt", "files/with blank é 漢 100%.txt"]);
  for (const { path } of listed.files)
    assert.deepEqual(await get(server, `/get-artifact?run_uuid=${runId}&path=${encodeURIComponent(path)}`), {
      status: 200,
      text: path.slice("files/".length),
    });
  assert.deepEqual(await get(server, `/model-versions/get-artifact?name=${registered}&version=1&path=note.txt`), {
    status: 200,
    text: "noted",
  });
  if (modelId === "-") return;
  assert.match((await get(server, `/api/2.0/mlflow/logged-models/${modelId}/artifacts/directories`)).text, /"MLmodel"/);
  assert.match(
    (await get(server, `/ajax-api/2.0/mlflow/logged-models/${modelId}/artifacts/files?artifact_file_path=MLmodel`))
      .text,
    /python_function/,
  );
}

for (const version of MLFLOW_CLIENTS) {
  describe(`artifacts of MLflow's client ${version}`, () => {
    const places: readonly (readonly [string, string, (folder: string) => string])[] = [
      ["a file: URI", "file", (folder) => pathToFileURL(folder).href],
      ["a plain path", "plain", (folder) => folder],
    ];
    // The old client reads a plain path as it reads a URI.
    for (const [what, name, toRoot] of version === MLFLOW_CLIENTS[0] ? places : places.slice(0, 1)) {
      it(`are written by the client itself below a root that is ${what}, and shown by the server`, async () => {
        const kept = join(home, `${name}-${version}`, "where artifacts go");
        const root = toRoot(kept);
        await withServer(`${name}-${version}`, ["--artifact-root", root], async (server) => {
          const ids =
            (await runPython(await mlflowPython(version), script, { arguments: [server.url, root] }))
              .split("\n")
              .at(-1)
              ?.split(" ") ?? [];
          assert.equal(await readFile(join(kept, "1", ids[0] ?? "", "artifacts/notes/note.txt"), "utf8"), "noted");
          assert.deepEqual(
            await readdir(join(home, `${name}-${version}`, "store/artifacts")).catch(() => []),
            [],
            "nothing went through the server",
          );
          await assertShown(server, ids);
        });
      });
    }

    it("go through the server by default, into --artifacts-destination", async () => {
      const kept = join(home, `proxied-${version}`, "kept");
      await withServer(
        `proxied-${version}`,
        ["--artifact-root", "mlflow-artifacts:/", "--artifacts-destination", kept],
        async (server) => {
          const ids =
            (await runPython(await mlflowPython(version), script, { arguments: [server.url, "mlflow-artifacts:/"] }))
              .split("\n")
              .at(-1)
              ?.split(" ") ?? [];
          assert.equal(await readFile(join(kept, "1", ids[0] ?? "", "artifacts/notes/note.txt"), "utf8"), "noted");
          await assertShown(server, ids);
        },
      );
    });
  });
}

describe("the artifact root of a server", () => {
  it("leaves experiments where they are when it changes, and still shows and takes their artifacts", async () => {
    const destination = join(home, "changed", "old");
    const first = { id: "", location: "" };
    await withServer("changed", ["--artifacts-destination", destination], async (server) => {
      assert.equal((await post(server, "experiments/create", { name: "old" })).status, 200);
      Object.assign(first, await newRun(server, "1"));
      assert.equal(
        (
          await fetch(`${server.url}/api/2.0/mlflow-artifacts/artifacts/1/${first.id}/artifacts/a.txt`, {
            method: "PUT",
            body: "old",
          })
        ).status,
        200,
      );
    });
    const root = pathToFileURL(join(home, "changed", "new")).href;
    await withServer("changed", ["--artifacts-destination", destination, "--artifact-root", root], async (server) => {
      assert.equal(first.location, `mlflow-artifacts:/1/${first.id}/artifacts`);
      assert.deepEqual(await get(server, `/get-artifact?run_uuid=${first.id}&path=a.txt`), {
        status: 200,
        text: "old",
      });
      assert.match((await newRun(server, "1")).location, /^mlflow-artifacts:\/1\//);
      assert.equal((await post(server, "experiments/create", { name: "new" })).status, 200);
      const run = await newRun(server, "2");
      assert.equal(run.location, `${root}/2/${run.id}/artifacts`);
      const sent = await fetch(
        `${server.url}/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${run.id}&path=deep/form.txt`,
        { method: "POST", body: "sent" },
      );
      assert.equal(sent.status, 200, await sent.text());
      assert.equal(await readFile(join(home, "changed/new/2", run.id, "artifacts/deep/form.txt"), "utf8"), "sent");
    });
  });

  it("in an object store is handed out as it is; the server says that it cannot show what lies there", async () => {
    await withServer("bucket", ["--artifact-root", "s3://bucket/some/prefix/"], async (server) => {
      assert.equal((await post(server, "experiments/create", { name: "far" })).status, 200);
      const run = await newRun(server, "1");
      assert.equal(run.location, `s3://bucket/some/prefix/1/${run.id}/artifacts`);
      const { model } = (await post(server, "logged-models", { experiment_id: "1" })).json as {
        model: { info: { model_id: string; artifact_uri: string } };
      };
      assert.equal(model.info.artifact_uri, `s3://bucket/some/prefix/1/models/${model.info.model_id}/artifacts`);
      await post(server, "registered-models/create", { name: "far" });
      assert.equal(
        (await post(server, "model-versions/create", { name: "far", source: `${run.location}/model`, run_id: run.id }))
          .status,
        200,
      );
      const refused = [
        `/api/2.0/mlflow/artifacts/list?run_id=${run.id}`,
        `/get-artifact?run_uuid=${run.id}&path=a.txt`,
        "/model-versions/get-artifact?name=far&version=1&path=MLmodel",
        `/api/2.0/mlflow/logged-models/${model.info.model_id}/artifacts/directories`,
      ];
      for (const path of refused) {
        const { status, text } = await get(server, path);
        assert.equal(status, 400, path);
        assert.match(
          text,
          /cannot show the artifacts at 's3:\/\/bucket\/some\/prefix\/1\/.*clients read and write them there directly/,
          path,
        );
      }
    });
  });

  it("opens nothing but what is strictly below it, whatever location a client wrote down", async () => {
    const root = join(home, "closed", "root");
    await mkdir(join(root, "1"), { recursive: true });
    await writeFile(join(home, "closed", "secret.txt"), "secret");
    await mkdir(join(home, "closed", "root-beside"), { recursive: true });
    await writeFile(join(home, "closed", "root-beside", "secret.txt"), "secret");
    await symlink(join(home, "closed"), join(root, "linked"));
    await writeFile(join(root, "secret.txt"), "beside the experiments");
    await withServer("closed", ["--artifact-root", pathToFileURL(root).href], async (server) => {
      const locations = [
        join(home, "closed"),
        `${root}-beside`,
        `${pathToFileURL(root).href}-beside`,
        join(home, "closed", "store"),
        `${root}/linked`,
        root,
        pathToFileURL(root).href,
        `${root}/.incoming`,
      ];
      assert.equal(
        (await post(server, "experiments/create", { name: "host", artifact_location: `file://elsewhere${root}` }))
          .status,
        400,
      );
      for (const [index, location] of locations.entries()) {
        const { json, text } = await post(server, "experiments/create", {
          name: `e${index}`,
          artifact_location: location,
        });
        const { experiment_id: id } = json as { experiment_id?: string };
        assert.ok(id, text);
        const run = await newRun(server, id);
        if (!location.includes("linked") && !location.includes(".incoming")) await lay(run.location);
        for (const path of ["secret.txt", "../../secret.txt", "..%2f..%2fsecret.txt", "../secret.txt"]) {
          const { status, text: answer } = await get(
            server,
            `/get-artifact?run_uuid=${run.id}&path=${encodeURIComponent(path)}`,
          );
          assert.ok(status === 400 || status === 404, `${location} ${path}: ${status}`);
          assert.doesNotMatch(answer, /^secret$|beside the experiments/, location);
        }
        // The run of an experiment at the root itself lies strictly below it, like any other.
        const isInside = location === root || location === pathToFileURL(root).href;
        assert.equal(
          (await get(server, `/get-artifact?run_uuid=${run.id}&path=laid.txt`)).status,
          isInside ? 200 : 400,
          location,
        );
      }
      const run = await newRun(server);
      assert.ok(run.location.startsWith(`${pathToFileURL(root).href}/0/`), run.location);
      await post(server, "registered-models/create", { name: "m" });
      // A source is accepted inside the run's own folder, nowhere else below the root.
      const version = (source: string): Promise<Answer> =>
        post(server, "model-versions/create", { name: "m", source, run_id: run.id });
      assert.equal((await version(`${run.location}/model`)).status, 200);
      for (const source of [
        `${pathToFileURL(root).href}/1`,
        pathToFileURL(root).href,
        root,
        `${run.location}/../../1`,
        `${run.location}/%2e%2e/x`,
        join(home, "closed", "secret.txt"),
      ])
        assert.equal((await version(source)).status, 400, source);
      // Through the proxy the root is not reached.
      assert.equal((await get(server, "/api/2.0/mlflow-artifacts/artifacts/secret.txt")).status, 404);
    });
  });
});
