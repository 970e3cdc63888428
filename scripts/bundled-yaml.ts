import * as yaml from "yaml";

/** In a bundle, what loads YAML late in the sources: there it costs nothing to have it. */
export const loadYaml = (): typeof yaml => yaml;
