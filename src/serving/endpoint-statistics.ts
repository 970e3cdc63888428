import type { Clock } from "#base";
import type { EndpointKey } from "#metadata-store/serving";
import type { PredictionPart } from "./prediction-part.ts";

/** Calls, and how long they took together. */
interface Duration {
  count: number;
  ms: number;
}

/** What one version of a model did at one endpoint, in this process, since it was first asked there. */
export interface VersionStatistics {
  readonly version: number;
  /** Epoch ms; 0 when nothing was answered. */
  lastInferenceMs: number;
  /** Rows. */
  inferences: number;
  readonly success: Duration;
  readonly fail: Duration;
}

export interface EndpointStatistics {
  answered(key: EndpointKey, answer: { readonly parts: readonly PredictionPart[]; readonly durationMs: number }): void;
  failed(key: EndpointKey, failure: { readonly version: number; readonly durationMs: number }): void;
  /** Versions that were asked, in the order in which they were. */
  of(key: EndpointKey): readonly VersionStatistics[];
}

/** Counts in memory, as Triton's statistics do: they begin anew with the process. */
export function createEndpointStatistics(clock: Clock): EndpointStatistics {
  const known = new Map<string, Map<number, VersionStatistics>>();

  function versionOf(key: EndpointKey, version: number): VersionStatistics {
    const name = JSON.stringify([key.project, key.environment, key.endpoint]);
    const versions = known.get(name) ?? new Map<number, VersionStatistics>();
    known.set(name, versions);
    const found = versions.get(version) ?? {
      version,
      lastInferenceMs: 0,
      inferences: 0,
      success: { count: 0, ms: 0 },
      fail: { count: 0, ms: 0 },
    };
    versions.set(version, found);
    return found;
  }

  return {
    answered(key, { parts, durationMs }) {
      for (const { model, rows } of parts) {
        const counted = versionOf(key, model.version.version);
        counted.lastInferenceMs = clock.now();
        counted.inferences += rows.length;
        counted.success.count++;
        counted.success.ms += durationMs;
      }
    },
    failed(key, { version, durationMs }) {
      const { fail } = versionOf(key, version);
      fail.count++;
      fail.ms += durationMs;
    },
    of: (key) => [...(known.get(JSON.stringify([key.project, key.environment, key.endpoint]))?.values() ?? [])],
  };
}
