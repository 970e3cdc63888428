/** A caller of MLflow's REST API of one server. */
export function mlflowCaller(url: string) {
  return async function call<Answer = object>(path: string, body: object): Promise<Answer> {
    const response = await fetch(`${url}/api/2.0/mlflow/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text === "" ? "{}" : text) as Answer;
  };
}

export interface FilledExperiment {
  readonly experimentId: string;
  readonly runIds: readonly string[];
}

interface Filling {
  readonly name: string;
  readonly runCount: number;
  /** Metrics, params and tags of each run; run 0 is the latest. */
  readonly contentOf: (index: number) => {
    readonly metrics: Readonly<Record<string, number>>;
    readonly params: Readonly<Record<string, string>>;
    readonly tags: Readonly<Record<string, string>>;
  };
}

const AT_ONCE = 16;

/** Makes an experiment with runs, as a client would: create, log-batch, update. */
export async function fillExperiment(url: string, { name, runCount, contentOf }: Filling): Promise<FilledExperiment> {
  const call = mlflowCaller(url);
  const { experiment_id: experimentId } = await call<{ experiment_id: string }>("experiments/create", { name });
  const runIds: string[] = Array.from({ length: runCount });
  const pairs = (record: Readonly<Record<string, string>>): object[] =>
    Object.entries(record).map(([key, value]) => ({ key, value }));
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < runCount; index = next++) {
      const startMs = 1_790_000_000_000 - index * 60_000;
      const { metrics, params, tags } = contentOf(index);
      const { run } = await call<{ run: { info: { run_id: string } } }>("runs/create", {
        experiment_id: experimentId,
        run_name: `run ${index}`,
        start_time: startMs,
        tags: pairs({ "mlflow.source.name": "train.py", "mlflow.user": "ana", ...tags }),
      });
      runIds[index] = run.info.run_id;
      await call("runs/log-batch", {
        run_id: run.info.run_id,
        params: pairs(params),
        metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, timestamp: startMs, step: 0 })),
      });
      if (index > 0)
        await call("runs/update", {
          run_id: run.info.run_id,
          status: index % 7 === 3 ? "FAILED" : "FINISHED",
          end_time: startMs + 61_000,
        });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { experimentId, runIds };
}

/** Logs one metric over many steps. */
export async function logHistory(
  url: string,
  runId: string,
  history: { readonly key: string; readonly pointCount: number; readonly valueAt: (step: number) => number },
): Promise<void> {
  const call = mlflowCaller(url);
  const LARGEST_BATCH = 1000;
  for (let from = 0; from < history.pointCount; from += LARGEST_BATCH) {
    const metrics = Array.from({ length: Math.min(LARGEST_BATCH, history.pointCount - from) }, (_, offset) => ({
      key: history.key,
      value: history.valueAt(from + offset),
      timestamp: 1_790_000_000_000 + from + offset,
      step: from + offset,
    }));
    await call("runs/log-batch", { run_id: runId, metrics });
  }
}
