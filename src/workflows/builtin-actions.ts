/** Actions that esteira does itself, by owner and name; every version of them. */
export const BUILTIN_ACTIONS = [
  "actions/checkout",
  "actions/setup-node",
  "actions/setup-python",
  "actions/cache",
  "actions/cache/restore",
  "actions/cache/save",
  "actions/upload-artifact",
  "actions/download-artifact",
  "actions/github-script",
  "astral-sh/setup-uv",
  "pnpm/action-setup",
  "oven-sh/setup-bun",
  "codecov/codecov-action",
] as const;
export type BuiltinAction = (typeof BUILTIN_ACTIONS)[number];

/** `owner/name/path@ref`, taken apart; undefined for local actions, images and what is none of them. */
export function parseActionReference(
  uses: string,
): { readonly repository: string; readonly path: string; readonly ref: string } | undefined {
  const found = /^([A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+)((?:\/[^@/]+)*)@([^@\s]+)$/.exec(uses);
  if (found === null) return undefined;
  const [, repository = "", path = "", ref = ""] = found;
  const parts = [...repository.split("/"), ...path.split("/"), ...ref.split("/")];
  if (parts.some((part) => part === ".." || part === ".")) return undefined;
  return { repository, path: path.replace(/^\//, ""), ref };
}

export function builtinOf(uses: string): BuiltinAction | undefined {
  const reference = parseActionReference(uses);
  if (reference === undefined) return undefined;
  const name = [reference.repository, reference.path]
    .filter((part) => part !== "")
    .join("/")
    .toLowerCase();
  return BUILTIN_ACTIONS.find((one) => one === name);
}
