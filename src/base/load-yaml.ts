import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** Loads YAML with the first file: a server without a project reads none, and most commands start with this module. */
export const loadYaml = (): typeof import("yaml") => require("yaml") as typeof import("yaml");
