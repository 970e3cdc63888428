import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLog } from "#base";
import { listEvents } from "#metadata-store";
import { purgeDeleted, type PurgeReport } from "#registry";
import { createArtifactFolder } from "#tracking";
import { openMlflowServer } from "../setup/mlflow-server.ts";
import { storeKinds } from "../setup/stores.ts";

const DAY_MS = 24 * 3600 * 1000;
const servers = await Promise.all(storeKinds.map(async (kind) => ({ kind, server: await openMlflowServer(kind) })));

for (const { kind, server } of servers) {
  describe(`purge of what was deleted (${kind})`, () => {
    const call = async (
      path: string,
      body: object,
      method: "POST" | "DELETE" = "POST",
    ): Promise<Record<string, never>> => {
      const response = await server.server.inject({ method, url: `/api/2.0/mlflow/${path}`, payload: body });
      assert.equal(response.statusCode, 200, response.body);
      return response.json();
    };
    const status = async (path: string): Promise<number> =>
      (await server.server.inject({ method: "GET", url: `/api/2.0/mlflow/${path}` })).statusCode;
    const startRun = async (experimentId: string): Promise<string> => {
      const { run } = (await call("runs/create", { experiment_id: experimentId })) as unknown as {
        run: { info: { run_id: string } };
      };
      const runId = run.info.run_id;
      await call("runs/log-batch", {
        run_id: runId,
        metrics: [{ key: "m", value: 1, timestamp: 1, step: 0 }],
        params: [{ key: "p", value: "1" }],
        tags: [{ key: "t", value: "v" }],
      });
      await server.server.inject({
        method: "PUT",
        url: `/api/2.0/mlflow-artifacts/artifacts/${experimentId}/${runId}/artifacts/a.txt`,
        payload: "x",
        headers: { "content-type": "text/plain" },
      });
      return runId;
    };
    const purge = (retentionMs: number, options: { dryRun?: boolean; afterMs?: number } = {}): Promise<PurgeReport> =>
      purgeDeleted({
        store: server.store,
        artifacts: createArtifactFolder({ root: server.artifactFolder }),
        clock: { now: () => Date.now() + (options.afterMs ?? 0), monotonic: () => 0 },
        log: silentLog,
        project: "default",
        actor: "operator",
        retentionMs,
        dryRun: options.dryRun ?? false,
      });

    it("removes runs with their files after the retention, and keeps the rest", async () => {
      const [kept, gone, used] = [await startRun("0"), await startRun("0"), await startRun("0")];
      await call("registered-models/create", { name: "m" });
      await call("model-versions/create", { name: "m", source: `mlflow-artifacts:/0/${used}/artifacts`, run_id: used });
      for (const runId of [gone, used]) await call("runs/delete", { run_id: runId });
      const folderOf = (runId: string): string => join(server.artifactFolder, "0", runId);

      assert.deepEqual(await purge(30 * DAY_MS), {
        runs: 0,
        loggedModels: 0,
        experiments: 0,
        uploads: 0,
        kept: [],
        foreign: 0,
      });
      const planned = await purge(30 * DAY_MS, { dryRun: true, afterMs: 31 * DAY_MS });
      assert.deepEqual([planned.runs, planned.kept], [1, [{ kind: "run", id: used, usedBy: "m" }]]);
      assert.ok(existsSync(folderOf(gone)));

      const report = await purge(30 * DAY_MS, { afterMs: 31 * DAY_MS });
      assert.deepEqual([report.runs, report.kept, report.foreign], [1, [{ kind: "run", id: used, usedBy: "m" }], 0]);
      assert.equal(await status(`runs/get?run_id=${gone}`), 404);
      assert.deepEqual(
        [existsSync(folderOf(gone)), existsSync(folderOf(used)), existsSync(folderOf(kept))],
        [false, true, true],
      );
      assert.equal(await status(`runs/get?run_id=${used}`), 200);
      const [event] = await server.store.read((transaction) =>
        listEvents(transaction, { subjectKind: "run", subject: gone, newestFirst: true }),
      );
      assert.deepEqual([event?.type, event?.actor], ["run.purged", "operator"]);
      assert.equal((await purge(0)).runs, 0);
    });

    it("frees the name of a deleted experiment once nothing is left in it", async () => {
      const { experiment_id: experimentId } = (await call("experiments/create", { name: "old" })) as unknown as {
        experiment_id: string;
      };
      await startRun(experimentId);
      const { model } = (await call("logged-models", { experiment_id: experimentId, name: "lm" })) as unknown as {
        model: { info: { model_id: string } };
      };
      await call("experiments/delete", { experiment_id: experimentId });
      assert.equal((await purge(0, { afterMs: 1000 })).experiments, 0, "a logged model is still in it");
      await call(`logged-models/${model.info.model_id}`, {}, "DELETE");
      const report = await purge(0, { afterMs: 1000 });
      assert.deepEqual([report.loggedModels, report.experiments], [1, 1]);
      assert.equal(await status("experiments/get-by-name?experiment_name=old"), 404);
      assert.ok(!existsSync(join(server.artifactFolder, experimentId)));
      await call("experiments/create", { name: "old" });
    });

    it("leaves files of other places alone and sweeps uploads that nobody finished", async () => {
      const { experiment_id: far } = (await call("experiments/create", {
        name: "far",
        artifact_location: "s3://bucket/x",
      })) as unknown as { experiment_id: string };
      const { run } = (await call("runs/create", { experiment_id: far })) as unknown as {
        run: { info: { run_id: string } };
      };
      await call("runs/delete", { run_id: run.info.run_id });
      const { experiment_id: shared } = (await call("experiments/create", {
        name: "shared",
        artifact_location: "mlflow-artifacts:/0",
      })) as unknown as { experiment_id: string };
      await call("experiments/delete", { experiment_id: shared });
      const old = join(server.artifactFolder, ".incoming", "old");
      await mkdir(join(server.artifactFolder, ".incoming"), { recursive: true });
      await writeFile(old, "x");
      await utimes(old, new Date(0), new Date(0));
      const report = await purge(0, { afterMs: 1000 });
      assert.deepEqual([report.runs, report.experiments, report.foreign, report.uploads], [1, 1, 2, 1]);
      assert.ok(existsSync(join(server.artifactFolder, "0")), "another experiment's folder stays");
    });
  });
}
