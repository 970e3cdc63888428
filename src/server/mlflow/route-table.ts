import type { MlflowRoute } from "#tracking";

/** Every call is served for clients and for web pages, and under both versions. */
export const MLFLOW_PREFIXES = ["/api/2.0/", "/api/3.0/", "/ajax-api/2.0/", "/ajax-api/3.0/"] as const;

export type Found =
  | { readonly route: MlflowRoute; readonly params: Readonly<Record<string, string>> }
  /** The path is known, with other methods. */
  | { readonly allowed: readonly string[] };

interface PathPattern {
  readonly segments: readonly string[];
  readonly byMethod: Map<string, MlflowRoute>;
}

/** Finds routes by path: most of MLflow's are plain text, and cost one look-up. */
export interface RouteTable {
  /** @param path below a prefix, or a whole one; percent-encoded @throws URIError when it cannot be decoded */
  find(method: string, path: string): Found | undefined;
}

export function createRouteTable(routes: readonly MlflowRoute[]): RouteTable {
  const plain = new Map<string, Map<string, MlflowRoute>>();
  const patterns = new Map<string, PathPattern>();
  for (const route of routes) {
    if (!/[:*]/.test(route.path)) {
      const byMethod = plain.get(route.path) ?? new Map<string, MlflowRoute>();
      plain.set(route.path, byMethod.set(route.method, route));
      continue;
    }
    const pattern = patterns.get(route.path) ?? {
      segments: route.path.split("/"),
      byMethod: new Map<string, MlflowRoute>(),
    };
    pattern.byMethod.set(route.method, route);
    patterns.set(route.path, pattern);
  }
  return {
    find(method, path) {
      const wanted = method === "HEAD" ? "GET" : method;
      const direct = plain.get(path);
      const route = direct?.get(wanted);
      if (route !== undefined) return { route, params: {} };
      const allowed = [...(direct?.keys() ?? [])];
      const segments = path.split("/");
      for (const pattern of patterns.values()) {
        const params = match(pattern.segments, segments);
        if (params === undefined) continue;
        const found = pattern.byMethod.get(wanted);
        if (found !== undefined) return { route: found, params };
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
