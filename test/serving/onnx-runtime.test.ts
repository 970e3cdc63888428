import { join } from "node:path";
import { after } from "node:test";
import { silentLog } from "#base";
import { sourceOfRecords } from "#serving";
import { readSignature, titleOf } from "../../src/serving/model-signature.ts";
import { readInputs } from "../../src/serving/row-source.ts";
import { createOnnxPool } from "../../src/serving/runtime/onnx/onnx-pool.ts";
import { createOnnxRuntime } from "../../src/serving/runtime/onnx/onnx-runtime.ts";
import { describeModelRuntime } from "../conformance/model-runtime.ts";
import { openTestStore, temporaryFolder } from "../setup/stores.ts";
import { readCase, registerModel } from "./served.ts";
import { writeSlowModel } from "./slow-model.ts";

describeModelRuntime(
  "onnx",
  async ({ timeoutMs }) => {
    const stored = await openTestStore("sqlite");
    const runtime = createOnnxRuntime({
      objects: stored.objects,
      pool: createOnnxPool({ log: silentLog, timeoutMs }),
    });
    after(() => runtime.close());
    const onnx = join(await temporaryFolder(), "slow.onnx");
    await writeSlowModel(onnx);
    const [late, labels] = [await readCase("late-by-columns"), await readCase("part-of-day")];
    return {
      runtime,
      load: (version) => runtime.load({ version, signature: readSignature(version), title: titleOf(version) }),
      inputs: (version, rows) => readInputs(readSignature(version), sourceOfRecords(rows), "ignore"),
      late: {
        version: await registerModel(stored, "late-by-columns"),
        rows: late.rows,
        predicted: late.predicted.map(Number),
      },
      withoutDistance: NaN,
      labels: {
        version: await registerModel(stored, "part-of-day", { asset: "part" }),
        rows: labels.rows,
        predicted: labels.predicted.map(String),
      },
      misdescribed: await registerModel(stored, "late-by-columns", {
        asset: "misdescribed",
        change: { inputs: late.model.inputs.map(({ name, type }) => ({ name: `other_${name}`, type })) },
      }),
      slow: { version: await registerModel(stored, "late-by-matrix", { asset: "slow", onnx }), tooLong: 12_000 },
    };
  },
  { tolerance: 1e-5 },
);
