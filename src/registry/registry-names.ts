import { assertLength, parameterInvalid } from "#tracking";

const LONGEST_NAME = 256;
const LONGEST_ALIAS = 255;
const FORBIDDEN_IN_LOGGED_MODEL = ["/", ":", ".", "%", '"', "'"];

/** Name of a registered model. @throws TRACKING_PARAMETER_INVALID with MLflow's sentence */
export function assertModelName(name: string): void {
  if (/[/:]/.test(name))
    throw parameterInvalid({ message: `Invalid model name '${name}'. Names cannot contain '/' or ':'.` });
  if (name.trim() === "") throw parameterInvalid({ message: "Registered model name cannot be empty." });
  assertLength("name", name, LONGEST_NAME);
}

/** Alias of a registered model. @throws TRACKING_PARAMETER_INVALID with MLflow's sentence */
export function assertAliasName(alias: string): void {
  if (!/^[\p{L}\p{N}\p{M}_-]*$/u.test(alias)) {
    throw parameterInvalid({
      message: `Invalid alias name: '${alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-).`,
    });
  }
  assertLength("alias", alias, LONGEST_ALIAS);
  if (alias.toLowerCase() === "latest")
    throw parameterInvalid({ message: "'latest' alias name (case insensitive) is reserved." });
  if (/^v\d+$/i.test(alias)) throw parameterInvalid({ message: `Version alias name '${alias}' is reserved.` });
}

/** Name of a logged model. @throws TRACKING_PARAMETER_INVALID with MLflow's sentence */
export function assertLoggedModelName(name: string): void {
  if (name !== "" && !FORBIDDEN_IN_LOGGED_MODEL.some((letter) => name.includes(letter))) return;
  throw parameterInvalid({
    message: `Invalid model name ('${name}') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
  });
}
