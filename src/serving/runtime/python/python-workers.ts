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
  const idlest = (): (typeof workers)[number] | undefined =>
    workers.toSorted((one, other) => one.calls - other.calls)[0];
  const { stream } = first;
  return {
    exact: first.exact,
    // A stream counts as a call of its process until its first part is there: its later ones are calls of their own.
    ...(stream === undefined
      ? {}
      : {
          stream: async (inputs, signal) => {
            const chosen = idlest();
            if (chosen?.worker.stream === undefined) return stream(inputs, signal);
            chosen.calls++;
            try {
              return await chosen.worker.stream(inputs, signal);
            } finally {
              chosen.calls--;
            }
          },
        }),
    async predict(inputs) {
      const chosen = idlest();
      if (chosen === undefined) return first.predict(inputs);
      chosen.calls++;
      try {
        return await chosen.worker.predict(inputs);
      } finally {
        chosen.calls--;
      }
    },
    end,
  };
}
