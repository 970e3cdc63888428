import { type PythonWorker, type PythonWorkerOptions, startPythonWorker } from "./python-worker.ts";

/**
 * Several processes of one model as one: each call goes to the one with the fewest before it. The first is started
 * alone: what does not load fails once.
 *
 * @throws SERVING_MODEL_UNUSABLE when it does not load
 */
export async function startPythonWorkers(count: number, options: PythonWorkerOptions): Promise<PythonWorker> {
  const first = await startPythonWorker(options);
  const others = await Promise.allSettled(Array.from({ length: count - 1 }, () => startPythonWorker(options)));
  const started = others.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const workers = [first, ...started].map((worker) => ({ worker, calls: 0 }));
  const end = async (): Promise<void> => void (await Promise.all(workers.map(({ worker }) => worker.end())));
  const failed = others.find((each) => each.status === "rejected");
  if (failed !== undefined) {
    await end();
    throw failed.reason;
  }
  return {
    exact: first.exact,
    async predict(inputs) {
      const [idlest] = workers.toSorted((one, other) => one.calls - other.calls);
      if (idlest === undefined) return first.predict(inputs);
      idlest.calls++;
      try {
        return await idlest.worker.predict(inputs);
      } finally {
        idlest.calls--;
      }
    },
    end,
  };
}
