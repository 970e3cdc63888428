/**
 * Addresses of the web page's own pages; `$name` is one segment. Everything else that is no file and no call does not
 * exist.
 */
export const PAGE_PATHS = [
  "/",
  "/pipelines",
  "/pipelines/$name",
  "/runs/$id",
  "/datasets",
  "/datasets/$name",
  "/dashboards",
  "/dashboards/$name",
  "/models",
  "/models/$name",
  "/models/$name/$version",
  "/notebooks/$id",
  "/endpoints",
  "/endpoint/$environment/$name",
  "/predictions/$id",
  "/alerts",
  "/releases",
  "/approvals",
  "/experiments",
  "/experiments/$id",
  "/experiments/run/$id",
  "/experiments/compare",
  "/registry",
  "/registry/$name",
  "/registry/$name/$version",
  "/lineage/$id",
] as const;
export type PagePath = (typeof PAGE_PATHS)[number];

const PATTERNS = PAGE_PATHS.map((path) => new RegExp(`^${path.replaceAll(/\$\w+/g, "[^/]+")}/?$`));

/** Whether a path, percent-encoded as it was sent, is one of the page's own. */
export function isPagePath(path: string): boolean {
  return PATTERNS.some((pattern) => pattern.test(path));
}
