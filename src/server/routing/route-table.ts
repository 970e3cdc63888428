import type { Mounted } from "./mount-routes.ts";

export type Found =
  | { readonly mounted: Mounted; readonly params: Readonly<Record<string, string>> }
  /** The path is known, with other methods. */
  | { readonly allowed: readonly string[] };

interface PathPattern {
  readonly segments: readonly string[];
  readonly byMethod: Map<string, Mounted>;
}

/** Finds routes by path: those of plain text cost one look-up. */
export interface RouteTable {
  /** @param path below a prefix, or a whole one; percent-encoded @throws URIError when it cannot be decoded */
  find(method: string, path: string): Found | undefined;
}

/** @param mounted each is found by its path as it is written, without prefix */
export function createRouteTable(mounted: readonly Mounted[]): RouteTable {
  const plain = new Map<string, Map<string, Mounted>>();
  const patterns = new Map<string, PathPattern>();
  for (const each of mounted) {
    const { path, method } = each.route;
    if (!/[:*]/.test(path)) {
      const byMethod = plain.get(path) ?? new Map<string, Mounted>();
      plain.set(path, byMethod.set(method, each));
      continue;
    }
    const pattern = patterns.get(path) ?? { segments: path.split("/"), byMethod: new Map<string, Mounted>() };
    pattern.byMethod.set(method, each);
    patterns.set(path, pattern);
  }
  return {
    find(method, path) {
      const wanted = method === "HEAD" ? "GET" : method;
      const direct = plain.get(path);
      const known = direct?.get(wanted);
      if (known !== undefined) return { mounted: known, params: {} };
      const allowed = [...(direct?.keys() ?? [])];
      const segments = path.split("/");
      for (const pattern of patterns.values()) {
        const params = match(pattern.segments, segments);
        if (params === undefined) continue;
        const found = pattern.byMethod.get(wanted);
        if (found !== undefined) return { mounted: found, params };
        allowed.push(...pattern.byMethod.keys());
      }
      return allowed.length === 0 ? undefined : { allowed };
    },
  };
}

function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    if (part === "*") {
      if (segments.length <= index) return undefined;
      params["*"] = decodeURIComponent(segments.slice(index).join("/"));
      return params;
    }
    const segment = segments[index];
    if (segment === undefined) return undefined;
    if (part.startsWith(":")) {
      if (segment === "") return undefined;
      params[part.slice(1)] = decodeURIComponent(segment);
    } else if (part !== segment) return undefined;
  }
  return pattern.length === segments.length ? params : undefined;
}
