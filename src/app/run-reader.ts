import type { RunReader } from "#models";
import type { Tracking } from "#tracking";

/** `RunReader` of `models`, by `tracking`. */
export function createRunReader(tracking: Tracking): RunReader {
  return {
    async readRun(runId) {
      const run = await tracking.getRun(runId);
      return {
        params: new Map(run?.params.map(({ key, value }) => [key, value])),
        metrics: new Map(run?.metrics.map(({ key, value }) => [key, value])),
        tags: new Map(run?.tags.map(({ key, value }) => [key, value])),
        artifactUri: run?.info.artifactUri,
      };
    },
  };
}
