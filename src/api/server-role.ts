/**
 * What a server process does. `page`: the files of the web page. `api`: the API, MLflow, hooks, workers of other
 * machines, SQL. `engine`: runs pipelines with their schedules, triggers and sensors, and what goes by itself.
 * `serving`: endpoints with their models, and online features.
 */
export const SERVER_ROLES = ["page", "api", "engine", "serving"] as const;
export type ServerRole = (typeof SERVER_ROLES)[number];
