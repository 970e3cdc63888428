import { createEventReader } from "../models/event-text.ts";
import { credentials } from "./credentials.ts";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;

export interface StreamOptions {
  readonly address: string;
  onEvent(name: string, data: string): void;
  onOpen?(): void;
  /** The connection broke; it is tried again by itself. */
  onLost?(): void;
  /** Name of the event after which there is nothing more. */
  readonly end?: string;
}

/**
 * Follows an event stream and reconnects where it was. Unlike `EventSource` it carries the credentials of who signed
 * in.
 *
 * @returns stops following
 */
export function followStream(options: StreamOptions): () => void {
  const stop = new AbortController();
  void follow(options, stop.signal);
  return () => stop.abort();
}

async function follow(options: StreamOptions, signal: AbortSignal): Promise<void> {
  const place: Place = { lastId: undefined, isOver: false };
  let delayMs = FIRST_DELAY_MS;
  while (!signal.aborted && !place.isOver) {
    try {
      await readOnce(options, place, signal);
      delayMs = FIRST_DELAY_MS;
    } catch {
      // Whatever broke the connection, the answer is to connect again.
      delayMs = Math.min(LONGEST_DELAY_MS, delayMs * 2);
    }
    if (signal.aborted || place.isOver) return;
    options.onLost?.();
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}

interface Place {
  lastId: string | undefined;
  isOver: boolean;
}

async function readOnce(options: StreamOptions, place: Place, signal: AbortSignal): Promise<void> {
  const headers = {
    accept: "text/event-stream",
    ...credentials.headers(),
    ...(place.lastId === undefined ? {} : { "last-event-id": place.lastId }),
  };
  const response = await fetch(options.address, { headers, signal, cache: "no-store" });
  if (!response.ok || response.body === null) throw new Error(`${response.status}`);
  options.onOpen?.();
  const read = createEventReader();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of read(value)) {
      if (event.id !== undefined) place.lastId = event.id;
      if (event.name === options.end) {
        place.isOver = true;
        return;
      }
      options.onEvent(event.name, event.data);
    }
  }
}
