import { userInfo } from "node:os";
import { LANGUAGES, type Language } from "./project-choices.ts";

/** What the process's environment says. The only reader of `process.env`. */
export interface Settings {
  /**
   * The machine's user as records name it, `local:NAME`: no user of a store can have that name. Nothing but the system
   * says who that is.
   */
  readonly user: string;
  readonly homeFolder: string | undefined;
  /** `ESTEIRA_STORE`: folder of the store, as `--store`. */
  readonly storeFolder: string | undefined;
  /** `ESTEIRA_ROLES`: what a server of this process does, as `esteira up --roles ROLES`. */
  readonly roles: string | undefined;
  /** `ESTEIRA_TOKEN`: API token that the CLI acts with. */
  readonly token: string | undefined;
  /** `ESTEIRA_KEY_PASSPHRASE`: of the file with the key that signs decisions. */
  readonly keyPassphrase: string | undefined;
  /** `ESTEIRA_SECRETS_KEY`: what seals secrets in the database, instead of a key file. */
  readonly secretsKey: string | undefined;
  /** `ESTEIRA_LANG`, else `LC_ALL`, `LC_MESSAGES`, `LANG`. */
  readonly language: Language;
  /** False when `NO_COLOR` is set, output is no terminal or `TERM=dumb`; `FORCE_COLOR` wins. */
  readonly color: boolean;
  readonly searchPath: string;
  /**
   * Variables for those who install packages: proxies, certificates, settings of pip and uv. Never passed to user code.
   */
  readonly installer: Readonly<Record<string, string>>;
  /** A variable that `esteira.yaml` names, read now; undefined where it is empty. */
  variable(name: string): string | undefined;
  /** `ESTEIRA_SECRET_<NAME>`: values of secrets that steps name. */
  secret(name: string): string | undefined;
}

/** Reads the settings of this process. */
export function readSettings(
  environment: NodeJS.ProcessEnv = process.env,
  isTerminal: boolean = process.stdout.isTTY === true,
): Settings {
  return {
    user: `local:${safeUserName()}`,
    homeFolder: environment["HOME"],
    storeFolder: nonEmpty(environment["ESTEIRA_STORE"]),
    roles: nonEmpty(environment["ESTEIRA_ROLES"]),
    token: nonEmpty(environment["ESTEIRA_TOKEN"]),
    keyPassphrase: nonEmpty(environment["ESTEIRA_KEY_PASSPHRASE"]),
    secretsKey: nonEmpty(environment["ESTEIRA_SECRETS_KEY"]),
    language: toLanguage(
      environment["ESTEIRA_LANG"] ?? environment["LC_ALL"] ?? environment["LC_MESSAGES"] ?? environment["LANG"],
    ),
    color:
      environment["FORCE_COLOR"] !== undefined ||
      (isTerminal && environment["NO_COLOR"] === undefined && environment["TERM"] !== "dumb"),
    searchPath: environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    installer: Object.fromEntries(
      Object.entries(environment).flatMap(([name, value]) =>
        value === undefined || /SECRET|TOKEN|PASSPHRASE|PASSWORD/.test(name) ? [] : [[name, value]],
      ),
    ),
    variable: (name) => nonEmpty(environment[name]),
    secret: (name) => environment[`ESTEIRA_SECRET_${name.toUpperCase().replaceAll("-", "_")}`],
  };
}

/** The language of a locale name such as `pt_BR.UTF-8`; English when it is none of ours. */
export function toLanguage(locale: string | undefined): Language {
  const name = (locale ?? "").replace("_", "-").toLowerCase();
  return LANGUAGES.find((language) => name.startsWith(language.toLowerCase().slice(0, 2))) ?? "en";
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function safeUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}
