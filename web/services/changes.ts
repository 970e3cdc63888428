import type { QueryClient } from "@tanstack/react-query";
import { apiRoutes, type Change, toAddress } from "#api";
import { changeTargets } from "../models/change-targets.ts";
import { followStream } from "./event-stream.ts";

/** Changes are gathered this long, so that a fan-out of a thousand steps is one reading. */
const GATHER_MS = 250;

export type Connection = "connecting" | "live";

/**
 * Follows the event stream and has the pages read again what changed; after a gap everything is read again.
 *
 * @returns stops following
 */
export function followChanges(client: QueryClient, onConnection: (connection: Connection) => void): () => void {
  const targets = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wasLost = false;
  const flush = (): void => {
    timer = undefined;
    for (const target of targets) void client.invalidateQueries({ queryKey: [target] });
    targets.clear();
  };
  const stop = followStream({
    address: toAddress(apiRoutes.streamChanges, {}),
    onOpen: () => {
      if (wasLost) void client.invalidateQueries();
      wasLost = false;
      onConnection("live");
    },
    onLost: () => {
      wasLost = true;
      onConnection("connecting");
    },
    onEvent: (name, data) => {
      if (name !== "change") return;
      for (const target of changeTargets(JSON.parse(data) as Change)) targets.add(target);
      timer ??= setTimeout(flush, GATHER_MS);
    },
  });
  return () => {
    stop();
    clearTimeout(timer);
  };
}
