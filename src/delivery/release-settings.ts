/** How a release is deployed; kept with it, so that it can be deployed again. */
export type ReleaseSettings =
  | {
      readonly target: "model";
      readonly endpoint: string;
      /** Feature service that the endpoint reads online. */
      readonly featureService?: string;
      readonly strategy?: object;
    }
  | {
      readonly target: "process";
      /** Shell line; undefined: the `start` script of the release's package.json. */
      readonly start?: string;
      readonly health?: string;
      readonly healthTimeoutMs?: number;
      readonly port?: number;
      readonly environment: Readonly<Record<string, string>>;
    };
