import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { runEsteira } from "../setup/command-line.ts";

const MAIN = resolve(import.meta.dirname, "../../src/cli/main.ts");
const folder = await mkdtemp(join(tmpdir(), "esteira-up-"));
after(() => rm(folder, { recursive: true, force: true }));

function up(workingFolder: string, ...options: string[]): ChildProcess {
  return spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", MAIN, "up", "--port", "0", "--json", ...options],
    { cwd: workingFolder, stdio: ["ignore", "pipe", "pipe"] },
  );
}

async function addressOf({ stdout }: ChildProcess): Promise<string> {
  assert.ok(stdout);
  for await (const line of createInterface({ input: stdout })) return (JSON.parse(line) as { url: string }).url;
  throw new Error("the server ended before it listened");
}

async function end(server: ChildProcess): Promise<number | null> {
  if (server.exitCode === null) {
    server.kill("SIGTERM");
    await once(server, "exit");
  }
  return server.exitCode;
}

describe("esteira up", () => {
  it("serves MLflow's calls on an empty store, and the rest with the first request to it", async () => {
    const server = up(folder, "--store", join(folder, "store"));
    try {
      const url = await addressOf(server);
      const experiment = await fetch(`${url}/api/2.0/mlflow/experiments/get?experiment_id=0`);
      assert.equal(((await experiment.json()) as { experiment: { name: string } }).experiment.name, "Default");
      const answers = await Promise.all([fetch(`${url}/api/v1/session`), fetch(`${url}/api/v1/pipelines`)]);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200],
      );
      const body = {
        method: "POST",
        body: JSON.stringify({ inputs: [[1]] }),
        headers: { "content-type": "application/json" },
      };
      assert.equal(
        ((await (await fetch(`${url}/endpoints/test/none/invocations`, body)).json()) as { code: string }).code,
        "SERVING_ENDPOINT_UNKNOWN",
      );
      const missing = await fetch(`${url}/api/v1/nothing`);
      assert.equal(missing.status, 404);
      assert.equal(missing.headers.get("x-content-type-options"), "nosniff");
      const foreign = await fetch(`${url}/api/v1/session`, {
        ...body,
        headers: { origin: "http://elsewhere.example" },
      });
      assert.equal(foreign.status, 403);
    } finally {
      assert.equal(await end(server), 0);
    }
  });

  it("keeps the artifacts that clients send it in the folder that --artifacts-destination names", async () => {
    const artifacts = join(folder, "where artifacts go");
    const server = up(
      folder,
      "--store",
      join(folder, "store"),
      "--artifacts-destination",
      pathToFileURL(artifacts).href,
    );
    try {
      const url = await addressOf(server);
      const put = await fetch(`${url}/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/note.txt`, {
        method: "PUT",
        body: "noted",
      });
      assert.equal(put.status, 200, await put.text());
      assert.equal(await readFile(join(artifacts, "0/run/artifacts/note.txt"), "utf8"), "noted");
    } finally {
      assert.equal(await end(server), 0);
    }
  });

  it("refuses artifacts in a place that it cannot keep them in, and says what it can", async () => {
    const refused: readonly (readonly [readonly string[], RegExp])[] = [
      [
        ["--artifacts-destination", "s3://bucket/mlflow"],
        /s3:\/\/bucket\/mlflow.*cannot keep artifacts in s3:.*Supported: a folder.*file:\/\/\/folder.*Mount it.*--artifacts-destination DIR/s,
      ],
      [
        ["--artifact-root", "ftp://host/mlflow"],
        /cannot be kept in ftp:.*Supported: mlflow-artifacts:\/, a folder.*--artifact-root URI/s,
      ],
      [["--artifact-root", folder], /the store .* lies in it/],
    ];
    for (const [words, says] of refused) {
      const { code, stderr } = await runEsteira(
        folder,
        ["up", "--port", "0", "--store", join(folder, "store"), ...words],
        { ESTEIRA_LANG: "en" },
      );
      assert.equal(code, 2, stderr);
      assert.match(stderr, says);
    }
  });

  it("ends, and says why, when a file of the project is wrong", async () => {
    const project = join(folder, "project");
    await mkdir(join(project, "pipelines"), { recursive: true });
    await writeFile(join(project, "esteira.yaml"), "name: wrong\n");
    await writeFile(join(project, "pipelines/p.yaml"), "steps:\n  a: { rum: ls }\n");
    const server = up(project);
    try {
      assert.ok(server.stdout);
      const [output] = await Promise.all([text(server.stdout), once(server, "exit")]);
      assert.equal(server.exitCode, 1);
      assert.match(output, /pipelines\/p\.yaml:2:8 .*rum/);
    } finally {
      await end(server);
    }
  });
});
