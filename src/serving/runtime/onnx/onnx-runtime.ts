import type { Blobs } from "#storage";
import { readModelContent } from "#models";
import { modelUnusable } from "../../errors.ts";
import type { ModelRuntime } from "../../model-runtime.ts";
import type { OnnxPool } from "./onnx-pool.ts";

/**
 * Computes ONNX graphs on threads of this process. Nothing can interrupt a native call, so one beyond its time is left
 * to end by itself.
 */
export function createOnnxRuntime(options: { readonly objects: Blobs; readonly pool: OnnxPool }): ModelRuntime {
  const { objects, pool } = options;
  return {
    name: "onnx",
    capabilities: { parallel: pool.threads, workers: false, interruptible: false },
    async load({ version, signature, title }) {
      const { model, tree } = readModelContent(version);
      const file = tree.files.find(({ path }) => path === model.file);
      if (file === undefined)
        throw modelUnusable({
          model: title,
          problem: `model.json names the file "${model.file}", which the version does not hold`,
        });
      const key = version.id;
      const exact = await pool.load({ key, title, path: await objects.localPath(file.digest), signature });
      return {
        exact,
        predict: (inputs) => pool.run({ key, title }, inputs),
        unload: () => pool.unload(key),
      };
    },
    close: () => pool.close(),
  };
}
