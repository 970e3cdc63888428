import { join } from "node:path";
import { type Clock, type Log, messageOf } from "#base";
import type { BucketConfig, ProjectConfig, Settings } from "#config";
import {
  type Blobs,
  createCachedFiles,
  createFileSystemBlobs,
  createFileSystemFiles,
  createRemoteBlobs,
  type Files,
  type LocalFiles,
  openS3Files,
  readCredentials,
  trimCache,
} from "#storage";

const TRIM_MS = 3_600_000;

/** Where the bytes of a store are kept. */
export interface Storage {
  readonly objects: Blobs;
  /** Of the Delta tables. */
  readonly tableFiles: LocalFiles;
  /** MLflow artifacts that `mlflow-artifacts:/` stands for, unless a folder was named for them. */
  readonly artifactFiles: Files;
  /** Keeps the cache of a bucket within its size, until it is told to end; nothing where there is no bucket. */
  keepCacheSmall(clock: Clock, log: Log): () => void;
}

/** Opens nothing yet: a bucket is asked when something is read or written. */
export async function openStorage(config: ProjectConfig, settings: Settings): Promise<Storage> {
  const below = (path: string): string => join(config.storeFolder, path);
  if (config.bucket === undefined)
    return {
      objects: createFileSystemBlobs(below("objects")),
      tableFiles: createFileSystemFiles({ root: below("datasets"), allowsLinks: true }),
      artifactFiles: createFileSystemFiles({ root: below("artifacts") }),
      keepCacheSmall: () => () => undefined,
    };
  const { bucket } = config;
  const [objects, tables, artifactFiles] = await Promise.all([
    openFilesOf(bucket, "objects", settings),
    openFilesOf(bucket, "datasets", settings),
    openFilesOf(bucket, "artifacts", settings),
  ]);
  const cache = below("cache/storage");
  return {
    objects: createRemoteBlobs({ files: objects, cacheFolder: join(cache, "objects") }),
    tableFiles: createCachedFiles({ files: tables, folder: join(cache, "datasets") }),
    artifactFiles,
    keepCacheSmall: (clock, log) => keepSmall(cache, { limitBytes: bucket.cacheBytes, clock, log }),
  };
}

async function openFilesOf(of: BucketConfig, folder: string, settings: Settings): Promise<Files> {
  const { bucket, prefix, endpoint, region, addressing, credentials } = of;
  return openS3Files({
    bucket,
    prefix: prefix === "" ? folder : `${prefix}/${folder}`,
    endpoint,
    region,
    addressing,
    credentials: () => readCredentials(credentials, (name) => settings.variable(name)),
  });
}

function keepSmall(
  folder: string,
  { limitBytes, clock, log }: { readonly limitBytes: number; readonly clock: Clock; readonly log: Log },
): () => void {
  const trim = (): void => {
    trimCache(folder, { limitBytes, nowMs: clock.now() }).then(
      ({ removedBytes, keptBytes }) => {
        if (removedBytes > 0) log.info("took files out of the cache of the bucket", { removedBytes, keptBytes });
      },
      (error: unknown) => log.warn("the cache of the bucket could not be kept small", { error: messageOf(error) }),
    );
  };
  trim();
  const timer = setInterval(trim, TRIM_MS);
  timer.unref();
  return () => clearInterval(timer);
}
