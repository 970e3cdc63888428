import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { type Clock, silentLog, systemClock } from "#base";
import { openPlatform, type Platform } from "#app";
import { loadProjectConfig, readSettings } from "#config";
import { getAssetVersion, type StoreKind } from "#metadata-store";
import { createPostgresSchema, temporaryFolder } from "./stores.ts";

/** A project in a folder with its whole platform, in this process. */
export interface PartitionedProject {
  readonly platform: Platform;
  readonly folder: string;
  write(path: string, text: string): Promise<void>;
  read(path: string): Promise<string>;
  /** Runs one partition to its end, and answers what each step came to: `ran`, `cached`, or its status. */
  run(pipeline: string, partition: string, more?: { only?: string; from?: string }): Promise<Record<string, string>>;
  /** The rows of a SELECT over one dataset. */
  rows(dataset: string, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

export async function openPartitionedProject(
  kind: StoreKind,
  files: Readonly<Record<string, string>>,
  now: { ms: number } = { ms: Date.parse("2026-02-01T00:00:00Z") },
): Promise<PartitionedProject> {
  const folder = await temporaryFolder();
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  const store = kind === "sqlite" ? "" : `store: { metadata: "${await createPostgresSchema()}" }\n`;
  await write("esteira.yaml", `name: p\nisolation: none\n${store}`);
  for (const [path, text] of Object.entries(files)) await write(path, text);
  const clock: Clock = { ...systemClock, now: () => now.ms };
  const platform = await openPlatform({
    config: await loadProjectConfig(folder),
    isProject: true,
    settings: readSettings({ PATH: process.env["PATH"] ?? "", HOME: folder, ESTEIRA_USER: "maria" }, false),
    log: silentLog,
    clock,
  });
  after(() => platform.close());
  platform.setUrl("http://127.0.0.1:1");
  await platform.registerProject("maria");
  return {
    platform,
    folder,
    write,
    read: (path) => readFile(join(folder, path), "utf8"),
    async run(pipeline, partition, more = {}) {
      await platform.registerProject("maria");
      const id = await platform.engine.submit({ pipeline, partition, actor: "maria", ...more });
      let seen: Record<string, string> = {};
      await platform.engine.runToEnd(id, ({ stepRuns }) => {
        seen = Object.fromEntries(
          stepRuns.map(({ step, status, cached, error }) => [
            step,
            cached ? "cached" : status === "succeeded" ? "ran" : `${status}: ${error?.message ?? ""}`,
          ]),
        );
      });
      return seen;
    },
    async rows(dataset, sql) {
      const version = await platform.store.read((transaction) =>
        getAssetVersion(transaction, { project: "p", asset: dataset }),
      );
      if (version === undefined) return [];
      const { rows } = await platform.datasets.query({ sql, tables: new Map([[dataset, version]]) });
      return rows;
    },
  };
}
