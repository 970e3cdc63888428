import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isEsteiraError } from "#base";
import type { AssetVersion } from "#metadata-store";
import type { InputColumns, ModelHandle, ModelOutput, ModelRuntime } from "#serving";

type Row = Readonly<Record<string, unknown>>;

/** A runtime with the models that the suite asks it for. */
export interface RuntimeUnderTest {
  readonly runtime: ModelRuntime;
  readonly load: (version: AssetVersion) => Promise<ModelHandle>;
  /** Rows as a request would bring them. */
  readonly inputs: (version: AssetVersion, rows: readonly Row[]) => InputColumns;
  /** Inputs: distance (float), hour (integer), origin (string); answers a probability. */
  readonly late: {
    readonly version: AssetVersion;
    readonly rows: readonly Row[];
    readonly predicted: readonly number[];
  };
  /** What it answers `late`'s first row without its distance. */
  readonly withoutDistance: number;
  /** Answers labels. */
  readonly labels: {
    readonly version: AssetVersion;
    readonly rows: readonly Row[];
    readonly predicted: readonly string[];
  };
  /** `late` with a signature that does not fit. */
  readonly misdescribed: AssetVersion;
  /** Two inputs. Computes the longer the larger its first input is: at once at 0, several seconds at `tooLong`. */
  readonly slow: { readonly version: AssetVersion; readonly tooLong: number };
}

/** Far above what `late` needs, far below what `slow` takes. */
const TIMEOUT_MS = 1500;

/** What every runtime must do, whatever it computes models with. */
export function describeModelRuntime(
  title: string,
  open: (options: { readonly timeoutMs?: number }) => Promise<RuntimeUnderTest>,
  { tolerance }: { readonly tolerance: number },
): void {
  describe(`the model runtime ${title}`, () => {
    it("answers numbers, whole numbers and texts as the library that trained the model does", async () => {
      const { load, inputs, late } = await open({});
      const output = await (await load(late.version)).predict(inputs(late.version, late.rows));
      assertClose(output, late.predicted, tolerance);
    });

    it("answers labels", async () => {
      const { load, inputs, labels } = await open({});
      const output = await (await load(labels.version)).predict(inputs(labels.version, labels.rows));
      assert.deepEqual(output.kind === "classes" ? output.labels : output, labels.predicted);
    });

    it("gives the model a missing number as NaN", async () => {
      const { load, inputs, late, withoutDistance } = await open({});
      const row = { ...late.rows[0], distance: null };
      const output = await (await load(late.version)).predict(inputs(late.version, [row]));
      assertClose(output, [withoutDistance], tolerance);
    });

    it("answers no rows with no answers", async () => {
      const { load, inputs, late } = await open({});
      assertClose(await (await load(late.version)).predict(inputs(late.version, [])), [], 0);
    });

    it("gives each of many calls at once the answers to its own rows", async () => {
      const { load, inputs, late } = await open({});
      const handle = await load(late.version);
      const outputs = await Promise.all(late.rows.map((row) => handle.predict(inputs(late.version, [row]))));
      for (const [index, output] of outputs.entries()) assertClose(output, [late.predicted[index] ?? NaN], tolerance);
    });

    it("refuses to load what does not fit its signature", async () => {
      const { load, misdescribed } = await open({});
      await assert.rejects(load(misdescribed), (error) => isEsteiraError(error, "SERVING_MODEL_UNUSABLE"));
    });

    it("gives up a call beyond its time, keeps no other model waiting, and answers again", async () => {
      const { load, inputs, slow, late } = await open({ timeoutMs: TIMEOUT_MS });
      const [hung, other] = [await load(slow.version), await load(late.version)];
      const rowsOf = (first: number): InputColumns => withFirst(first);
      let given: "waiting" | "up" = "waiting";
      const call = assert
        .rejects(hung.predict(rowsOf(slow.tooLong)), (error) => isEsteiraError(error, "SERVING_TIME_EXCEEDED"))
        .finally(() => (given = "up"));
      assertClose(await other.predict(inputs(late.version, late.rows)), late.predicted, tolerance);
      assert.equal(given, "waiting");
      await call;
      for (let answered = false; !answered; await delay(50)) answered = await isAnswered(hung.predict(rowsOf(0)));
    });

    it("closes while it computes: the call is settled, and none begins afterwards", async () => {
      const { runtime, load, inputs, slow, late } = await open({ timeoutMs: TIMEOUT_MS });
      const handle = await load(late.version);
      const call = (await load(slow.version)).predict(withFirst(slow.tooLong));
      const settled = call.then(
        () => "answered",
        () => "failed",
      );
      await runtime.close();
      assert.equal(await settled, "failed");
      await assert.rejects(handle.predict(inputs(late.version, late.rows)), (error) =>
        isEsteiraError(error, "SERVING_RUNTIME_DIED"),
      );
    });

    it("unloads a model twice as once, and computes it no more", async () => {
      const { load, inputs, late } = await open({});
      const handle = await load(late.version);
      await handle.unload();
      await handle.unload();
      await assert.rejects(handle.predict(inputs(late.version, late.rows)), (error) => isEsteiraError(error));
    });
  });
}

/** Of a model with two inputs. */
function withFirst(first: number): InputColumns {
  return { rowCount: 1, columns: [Float64Array.of(first), Float64Array.of(0)] };
}

function assertClose(output: ModelOutput, expected: readonly number[], tolerance: number): void {
  assert.equal(output.kind, "numbers");
  const values = output.kind === "numbers" ? [...output.values] : [];
  assert.equal(values.length, expected.length);
  for (const [row, value] of values.entries()) {
    const wanted = expected[row] ?? NaN;
    assert.ok(Object.is(value, wanted) || Math.abs(value - wanted) <= tolerance, `row ${row}: ${value}, not ${wanted}`);
  }
}

/** What was given up may still compute where nothing can interrupt it. */
function isAnswered(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    (error: unknown) => {
      if (!isEsteiraError(error, "SERVING_MODEL_STUCK")) throw error;
      return false;
    },
  );
}
