/** Actions that esteira does itself, by owner and name; every version of them. */
export const BUILTIN_ACTIONS = [
  "actions/checkout",
  "actions/setup-node",
  "actions/setup-python",
  "actions/setup-go",
  "actions/setup-java",
  "actions/cache",
  "actions/cache/restore",
  "actions/cache/save",
  "actions/upload-artifact",
  "actions/download-artifact",
  "actions/upload-pages-artifact",
  "actions/github-script",
  "actions-rs/toolchain",
  "actions-rs/cargo",
  "actions-rust-lang/setup-rust-toolchain",
  "astral-sh/setup-uv",
  "codecov/codecov-action",
  "codspeedhq/action",
  "coverallsapp/github-action",
  "deadsnakes/action",
  "denoland/setup-deno",
  "dtolnay/rust-toolchain",
  "extractions/setup-just",
  "hynek/build-and-inspect-python-package",
  "hynek/setup-cached-uv",
  "j178/prek-action",
  "oven-sh/setup-bun",
  "pnpm/action-setup",
  "pre-commit/action",
  "re-actors/alls-green",
  "ruby/setup-ruby",
  "shivammathur/setup-php",
  "swatinem/rust-cache",
  "zizmorcore/zizmor-action",
] as const;
export type BuiltinAction = (typeof BUILTIN_ACTIONS)[number];

export interface ActionReference {
  /** `owner/name`. */
  readonly repository: string;
  /** In the repository; empty for its root. */
  readonly path: string;
  readonly ref: string;
}

/** `owner/name/path@ref`, taken apart; undefined for local actions, images and what is none of them. */
export function parseActionReference(uses: string): ActionReference | undefined {
  const found = /^([A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+)((?:\/[^@/]+)*)@([^@\s]+)$/.exec(uses);
  if (found === null) return undefined;
  const [, repository = "", path = "", ref = ""] = found;
  const parts = [...repository.split("/"), ...path.split("/"), ...ref.split("/")];
  if (parts.some((part) => part === ".." || part === ".")) return undefined;
  return { repository, path: path.replace(/^\//, ""), ref };
}

/** `owner/name/path` in small letters, without the version; empty for what is none. */
export function actionName(uses: string): string {
  const reference = parseActionReference(uses);
  if (reference === undefined) return "";
  return [reference.repository, reference.path]
    .filter((part) => part !== "")
    .join("/")
    .toLowerCase();
}

export function builtinOf(uses: string): BuiltinAction | undefined {
  const name = actionName(uses);
  return BUILTIN_ACTIONS.find((one) => one === name);
}

/** Where an action lies in the mirror: `owner/name@ref/path`. */
export function mirrorFolder({ repository, path, ref }: ActionReference): string {
  return [`${repository}@${ref}`, path].filter((part) => part !== "").join("/");
}

/** How an action comes into the mirror, for people. */
export function mirrorHint({ repository, ref }: ActionReference): string {
  return `Put its repository there as ${repository}@${ref}.`;
}
