import { isIP } from "node:net";
import { z } from "zod";

/** A place that processes of a step may reach. */
export interface Place {
  /** In small letters, without brackets: `pypi.org`, `*.example.com`, `10.1.2.3`, `::1`. */
  readonly host: string;
  /** Undefined: 80 and 443. */
  readonly port: number | undefined;
}

/** `name`, `name:8080`, `*.name`, `10.1.2.3:5432`, `[::1]:443`; undefined for anything else. */
export function parsePlace(text: string): Place | undefined {
  const found = /^(\[[0-9a-f:.]+\]|(?:\*\.)?[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)(?::(\d{1,5}))?$/i.exec(text);
  const [, host, port] = found ?? [];
  if (host === undefined || (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535))) return undefined;
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (host.startsWith("[") && isIP(name) !== 6) return undefined;
  return { host: name, port: port === undefined ? undefined : Number(port) };
}

/** `network` of a step. */
export const networkKey = z
  .union([
    z.literal(false),
    z.literal("platform"),
    z
      .array(
        z
          .string()
          .max(300)
          .refine((text) => parsePlace(text) !== undefined, {
            error: 'expected a host such as "pypi.org", "pypi.org:443", "*.example.com" or "10.1.2.3:8080"',
          }),
      )
      .min(1, "expected a host; the platform alone is network: platform")
      .max(100),
  ])
  .optional()
  .describe(
    "`false`: its processes have no network, not even the platform's. `platform`: they reach the platform alone. A list of hosts (`pypi.org`, `db.example.com:8080`, `*.example.com`; without a port, 80 and 443): these too, by HTTP and HTTPS. They run in a sandbox, or not at all. Default: what `isolation.network` in esteira.yaml says.",
  );
