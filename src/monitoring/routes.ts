import { type Answered, monitoringRoutes } from "#api";
import { assertJsonDepth, EsteiraError, type Log, messageOf } from "#base";
import type { EndpointKey } from "#metadata-store/serving";
import { labelInvalid } from "./errors.ts";
import { parseLabelBatch, parseUntil } from "./label-batch.ts";
import type { Monitoring } from "./monitoring.ts";

/** One HTTP request, already routed; `body` is whole and decompressed. */
export interface MonitoringRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly caller?: string;
}

export interface MonitoringResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One address below an endpoint, with what answers it. A handler never rejects: errors are answers. */
export type MonitoringCall = Answered<(request: MonitoringRequest) => Promise<MonitoringResponse>>;

type Work = (key: EndpointKey, body: unknown, caller: string) => Promise<object>;

/**
 * `POST /endpoints/:environment/:endpoint/labels` takes `{"labels": [{"id" or "entityKey", "label", "at"?}], "until"?}`
 * and answers what became of them; `POST …/evaluate` takes `{"until"?}`, computes and judges the windows that changed,
 * and answers `{"windows", "alerts", "closed"}`: the alerts that were opened since it was last asked.
 */
export function createMonitoringCalls(options: {
  readonly monitoring: Monitoring;
  readonly project: string;
  readonly log: Log;
}): readonly MonitoringCall[] {
  const { monitoring, log, project } = options;
  const works: Readonly<Record<keyof typeof monitoringRoutes, Work>> = {
    recordLabels: (key, body, actor) => monitoring.recordLabels({ ...key, ...parseLabelBatch(body), actor }),
    evaluate: async (key, body) => {
      const { windows, opened, closed } = await monitoring.evaluate({ ...key, untilMs: parseUntil(body) });
      return { windows, alerts: opened, closed };
    },
  };
  return Object.entries(works).map(([name, work]) => ({
    route: monitoringRoutes[name as keyof typeof monitoringRoutes],
    handler: async ({ params, body, caller = "unknown" }) => {
      try {
        const key = { project, environment: params["environment"] ?? "", endpoint: params["endpoint"] ?? "" };
        return json(200, await work(key, parseBody(body), caller));
      } catch (error) {
        if (error instanceof EsteiraError) return json(error.status, { error: error.toJSON() });
        log.error("a monitoring request failed", {
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
        return json(500, {
          error: { code: "MONITORING_REQUEST_FAILED", message: "The request failed; the server's log says why" },
        });
      }
    },
  }));
}

function json(status: number, value: object): MonitoringResponse {
  return { status, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(value) };
}

function parseBody(body: Uint8Array): unknown {
  if (body.byteLength === 0) return {};
  try {
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
    assertJsonDepth(text);
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw labelInvalid(
      {
        where: "The request's body",
        found: `text that is not JSON (${messageOf(error)})`,
        expected: "a JSON document",
      },
      error,
    );
  }
}
