import type { ModelTask } from "#models";

/** What a model answers for some rows. */
export type ModelOutput =
  | {
      readonly kind: "numbers";
      /**
       * `probability` of the positive class, or the `prediction` of a regression; one per row. NaN where the model
       * gives none.
       */
      readonly values: Float64Array;
    }
  | {
      readonly kind: "classes";
      /** One label per row. */
      readonly labels: readonly string[];
      /** Row-major, `classCount` per row; empty when the model gives none. */
      readonly probabilities: Float64Array;
      readonly classCount: number;
    };

/** Main thread → worker. */
export type WorkerRequest =
  | {
      readonly kind: "load";
      readonly call: number;
      readonly key: string;
      readonly path: string;
      readonly task: ModelTask;
      readonly inputs: readonly { readonly name: string; readonly type: string }[];
    }
  | {
      readonly kind: "run";
      readonly call: number;
      readonly key: string;
      readonly rowCount: number;
      readonly columns: readonly (Float64Array | readonly string[])[];
    }
  | { readonly kind: "unload"; readonly call: number; readonly key: string };

/** Worker → main thread. */
export type WorkerAnswer =
  | { readonly call: number; readonly ok: true; readonly output?: ModelOutput; readonly exact?: readonly string[] }
  | { readonly call: number; readonly ok: false; readonly problem: string; readonly advice?: string };
