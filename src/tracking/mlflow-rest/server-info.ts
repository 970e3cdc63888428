import { mlflowRoutes } from "#api";
import { notImplemented } from "../errors.ts";
import type { MlflowCall } from "./call.ts";

/**
 * What clients read as the server's version. From 3.4 on they would send trace spans as OTLP protobuf, which is not
 * taken here.
 */
const COMPATIBLE_VERSION = "3.3.0";

/** `/health`, `/version`, `server-info`, and the answer that makes clients send no spans. */
export function serverInfoRoutes(): readonly MlflowCall[] {
  return [
    { route: mlflowRoutes.getHealth, handler: async () => ({ text: "OK" }) },
    { route: mlflowRoutes.getVersion, handler: async () => ({ text: COMPATIBLE_VERSION }) },
    {
      route: mlflowRoutes.getServerInfo,
      handler: async () => ({ json: { store_type: "SqlStore", workspaces_enabled: false } }),
    },
    {
      route: mlflowRoutes.logSpans,
      handler: async () => {
        // The client looks for exactly this sentence and stops sending spans.
        throw notImplemented({ message: "REST OTLP span logging is not supported by this server" });
      },
    },
  ];
}
