import type { ModelTask } from "#models";
import type { ModelOutput } from "../../model-runtime.ts";
import type { InputColumn } from "../../row-source.ts";

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
      readonly columns: readonly InputColumn[];
    }
  | { readonly kind: "unload"; readonly call: number; readonly key: string };

/** Worker → main thread. */
export type WorkerAnswer =
  | { readonly call: number; readonly ok: true; readonly output?: ModelOutput; readonly exact?: readonly string[] }
  | {
      readonly call: number;
      readonly ok: false;
      readonly problem: string;
      readonly advice?: string;
      readonly refused?: true;
    };
