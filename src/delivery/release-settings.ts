import { canonicalJson, type Json } from "#base";
import type { Release } from "#metadata-store/delivery";

/** How code is applied in a cluster. */
export interface KubernetesSettings {
  readonly target: "kubernetes";
  /** The namespace of a cluster, as the project names it. */
  readonly name: string;
  /** Patterns of files of the code. */
  readonly manifests: readonly string[];
  /** What manifests name: stated, or a file of the code. */
  readonly values?: Readonly<Record<string, string | number | boolean | { readonly file: string }>>;
  /** Objects of earlier releases that this one has no more are deleted. */
  readonly prune?: boolean;
  /** Fields that others manage are taken over. */
  readonly forceConflicts?: boolean;
  readonly healthTimeoutMs?: number;
}

/** How a release is deployed; kept with it, so that it can be deployed again. */
export type ReleaseSettings =
  | {
      readonly target: "model";
      readonly endpoint: string;
      /** Feature service that the endpoint reads online. */
      readonly featureService?: string;
      readonly strategy?: object;
      /** Processes that compute its requests. */
      readonly workers?: number;
      /** Columns whose values the prediction log never holds. */
      readonly log?: { readonly redact: readonly string[] };
    }
  | {
      readonly target: "ssh";
      /** The hosts, as the project names them together. */
      readonly name: string;
      /** Shell lines on each host, in the folder of the release. */
      readonly restart?: string;
      readonly check?: string;
      readonly stop?: string;
      readonly healthTimeoutMs?: number;
    }
  | KubernetesSettings
  | {
      readonly target: "process";
      /** Shell line; undefined: the `start` script of the release's package.json. */
      readonly start?: string;
      readonly health?: string;
      readonly healthTimeoutMs?: number;
      readonly port?: number;
      /** Callers may ask it as a model of OpenAI's API; `model` is what it calls that itself. */
      readonly openai?: { readonly model?: string };
      readonly environment: Readonly<Record<string, string>>;
    };

/** As it is part of a recipe. */
export function settingsAsJson(settings: ReleaseSettings): Json {
  if (settings.target !== "model") return { ...settings };
  const { strategy, ...others } = settings;
  return strategy === undefined ? others : { ...others, strategy: canonicalJson(strategy) };
}

/** How a kept release is deployed. */
export function settingsOf({ settings }: Release): ReleaseSettings {
  return settings as ReleaseSettings;
}
