import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "#base";
import type { StartedTask, SyncAnswer, SyncRequest, TaskResult, WorkerCard } from "../remote/task-format.ts";
import { taskNotHeld, workerRefused, workerUnknown, workerUnreachable } from "../remote/remote-errors.ts";

const LONGEST_PAUSE_MS = 5000;
const ANSWER_MS = 30_000;
/** Statuses that pass by themselves. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

type Held = Pick<StartedTask, "id" | "token">;

/**
 * What a worker asks of its server. A call that the network, or a server that is being restarted, does not answer is
 * made again until its signal aborts; each can be repeated without harm.
 */
export class WorkerClient {
  readonly #url: string;
  readonly #token: string | undefined;
  #worker = "";

  constructor({ url, token }: { readonly url: string; readonly token: string | undefined }) {
    this.#url = url.replace(/\/+$/, "");
    this.#token = token;
  }

  get url(): string {
    return this.#url;
  }

  /** Calls as a worker that another process registered. */
  actAs(worker: string): void {
    this.#worker = worker;
  }

  /** @throws EXECUTORS_WORKER_REFUSED */
  async register(card: WorkerCard, signal: AbortSignal): Promise<void> {
    const answer: { readonly worker: string } = await this.#json("POST", "/workers", { body: card, signal });
    this.#worker = answer.worker;
  }

  /**
   * One try: whoever calls it knows what to do meanwhile. @throws EXECUTORS_WORKER_UNKNOWN,
   * EXECUTORS_SERVER_UNREACHABLE
   */
  async sync(request: SyncRequest, signal: AbortSignal): Promise<SyncAnswer> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(request.waitMs + ANSWER_MS)]);
    return this.#json("POST", `/workers/${this.#worker}/sync`, { body: request, signal: limit, tries: 1 });
  }

  /** One try. */
  async leave(signal: AbortSignal): Promise<void> {
    await this.#send("DELETE", `/workers/${this.#worker}`, { signal, tries: 1 });
  }

  /** @throws EXECUTORS_TASK_NOT_HELD, EXECUTORS_WORKER_REFUSED */
  async readBlob(task: Held, digest: string, signal: AbortSignal): Promise<Readable> {
    const answer = await this.#send("GET", this.#place(task, `blobs/${digest}`), { signal });
    return answer.body === null ? Readable.from([]) : Readable.from(answer.body);
  }

  /** @param open called for each try */
  async writeBlob(
    task: Held,
    { digest, open, signal }: { readonly digest: string; readonly open: () => Readable; readonly signal: AbortSignal },
  ): Promise<void> {
    await this.#send("PUT", this.#place(task, `blobs/${digest}`), { signal, stream: open });
  }

  async log(
    task: Held,
    { number, text, signal }: { readonly number: number; readonly text: string; readonly signal: AbortSignal },
  ): Promise<void> {
    await this.#send("POST", `${this.#place(task, "log")}&number=${number}`, { body: { text }, signal });
  }

  async end(task: Held, result: TaskResult, signal: AbortSignal): Promise<void> {
    await this.#send("POST", this.#place(task, "result"), { body: result, signal });
  }

  #place({ id, token }: Held, what: string): string {
    return `/workers/${this.#worker}/tasks/${encodeURIComponent(id)}/${what}?token=${token}`;
  }

  async #json<Answer>(method: string, path: string, call: Call): Promise<Answer> {
    const answer = await this.#send(method, path, call);
    const said: Answer = JSON.parse(await answer.text());
    return said;
  }

  async #send(method: string, path: string, call: Call): Promise<Response> {
    for (let tried = 1; ; tried++) {
      let reason: string;
      try {
        const answer = await this.#once(method, path, call);
        if (answer.ok) return answer;
        const said = await readProblem(answer);
        if (said.code === "EXECUTORS_TASK_NOT_HELD") throw taskNotHeld({ task: path });
        if (said.code === "EXECUTORS_WORKER_UNKNOWN") throw workerUnknown({ worker: this.#worker });
        if (!PASSING.has(answer.status))
          throw workerRefused({ url: this.#url, status: answer.status, said: said.message });
        reason = `it answers ${answer.status}: ${said.message}`;
      } catch (error) {
        if (call.signal.aborted) throw call.signal.reason;
        if (!(error instanceof TypeError) && !isTimeout(error)) throw error;
        reason = messageOf(error.cause ?? error);
      }
      if (tried >= (call.tries ?? Infinity)) throw workerUnreachable({ url: this.#url, reason });
      await delay(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** Math.min(tried, 8)), undefined, { signal: call.signal });
    }
  }

  #once(method: string, path: string, { body, stream, signal }: Call): Promise<Response> {
    const headers: Record<string, string> = {};
    if (this.#token !== undefined) headers["authorization"] = `Bearer ${this.#token}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    if (stream !== undefined) headers["content-type"] = "application/octet-stream";
    // oxlint-disable-next-line no-restricted-globals -- a worker has no store: it calls the one server that it was started for
    return fetch(this.#url + path, {
      method,
      headers,
      signal,
      redirect: "error",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(stream === undefined ? {} : { body: Readable.toWeb(stream()), duplex: "half" }),
    });
  }
}

interface Call {
  readonly signal: AbortSignal;
  readonly body?: object;
  readonly stream?: () => Readable;
  readonly tries?: number;
}

function isTimeout(error: unknown): error is DOMException {
  return error instanceof DOMException && error.name === "TimeoutError";
}

async function readProblem(answer: Response): Promise<{ readonly code: string; readonly message: string }> {
  const text = await answer.text().catch(() => "");
  try {
    const said: { readonly error?: { readonly code?: string; readonly message?: string } } = JSON.parse(text);
    return { code: said.error?.code ?? "", message: said.error?.message ?? text.slice(0, 300) };
  } catch {
    return { code: "", message: text.slice(0, 300) };
  }
}
