export { ISOLATION_SETTINGS, DEFAULT_PORT, type Language } from "./project-choices.ts";
export {
  type BucketConfig,
  type EnvironmentConfig,
  findProjectFolder,
  loadProjectConfig,
  loadProjectSchema,
  PROJECT_FILE,
  type ProjectConfig,
  storeOnlyConfig,
} from "./project-config.ts";
export { PROJECT_NAME } from "./project-name.ts";
export { readSettings, type Settings, toLanguage } from "./settings.ts";
