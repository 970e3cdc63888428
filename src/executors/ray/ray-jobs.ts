import { request } from "node:http";
import { request as requestSecurely } from "node:https";
import { messageOf } from "#base";
import { rayRefused, rayUnreachable } from "./ray-errors.ts";

const ANSWER_MS = 30_000;
const LARGEST_ANSWER = 4 * 1024 ** 2;
const ENDED: ReadonlySet<string> = new Set(["STOPPED", "SUCCEEDED", "FAILED"]);

/** A job as Ray knows it. */
export interface RayJob {
  readonly status: string;
  readonly message: string;
  readonly hasEnded: boolean;
}

/** The Jobs API of a Ray cluster's head. */
export class RayJobs {
  readonly #address: string;
  readonly #token: string | undefined;
  readonly #executor: string;

  /** @param options.token of a cluster that asks for one */
  constructor(options: { readonly executor: string; readonly address: string; readonly token: string | undefined }) {
    this.#executor = options.executor;
    this.#address = options.address.replace(/\/+$/, "");
    this.#token = options.token;
  }

  /** Idempotent by id. @throws EXECUTORS_RAY_UNREACHABLE, EXECUTORS_RAY_REFUSED */
  async submit(job: {
    readonly id: string;
    readonly entrypoint: string;
    readonly variables: Readonly<Record<string, string>>;
  }): Promise<void> {
    const { status, text } = await this.#call("POST", "/api/jobs/", {
      entrypoint: job.entrypoint,
      submission_id: job.id,
      runtime_env: { env_vars: job.variables },
      // It waits for the ends of tasks; what they take is theirs.
      entrypoint_num_cpus: 0,
    });
    // Ray answers so, with a traceback, for an id that it has.
    if (status === 200 || text.includes("already exists")) return;
    throw this.#toError(status, text);
  }

  /** undefined for one that Ray does not know, or not any more. */
  async find(id: string): Promise<RayJob | undefined> {
    const { status, text } = await this.#call("GET", `/api/jobs/${id}`);
    if (status === 404) return undefined;
    if (status !== 200) throw this.#toError(status, text);
    const said: { readonly status?: string; readonly message?: string } = JSON.parse(text);
    const state = said.status ?? "";
    return { status: state, message: said.message ?? "", hasEnded: ENDED.has(state) };
  }

  /** One that has ended is no error. */
  async stop(id: string): Promise<void> {
    const { status, text } = await this.#call("POST", `/api/jobs/${id}/stop`);
    if (status !== 200 && status !== 404) throw this.#toError(status, text);
  }

  #toError(status: number, text: string): Error {
    const executor = this.#executor;
    const reason = text.trim().split("\n").at(-1)?.slice(0, 500) ?? "";
    return status >= 500
      ? rayUnreachable({ executor, address: this.#address, reason: `it answers ${status}: ${reason}` })
      : rayRefused({ executor, address: this.#address, status, reason });
  }

  /** Ray takes `fetch` for a browser, and refuses it. */
  #call(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly text: string }> {
    const url = new URL(this.#address + path);
    const content = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void =>
        reject(rayUnreachable({ executor: this.#executor, address: this.#address, reason: messageOf(error) }, error));
      const send = url.protocol === "https:" ? requestSecurely : request;
      const sent = send(
        url,
        {
          method,
          timeout: ANSWER_MS,
          headers: {
            ...(content === undefined ? {} : { "content-type": "application/json" }),
            ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
          },
        },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8");
          answer.on("data", (piece: string) => {
            if (text.length < LARGEST_ANSWER) text += piece;
          });
          answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
          answer.on("error", fail);
        },
      );
      sent.on("timeout", () => sent.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
      sent.on("error", fail);
      sent.end(content);
    });
  }
}
