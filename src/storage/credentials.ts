import type { S3Credentials } from "./drivers/s3-client.ts";
import { credentialsMissing } from "./errors.ts";

/**
 * Keys by the names of the variables that hold them.
 *
 * @param read the value of a variable; undefined where it is not set
 * @throws STORAGE_CREDENTIALS_MISSING with the variable's name
 */
export function readCredentials(
  names: { readonly key: string; readonly secret: string; readonly token: string },
  read: (name: string) => string | undefined,
): S3Credentials {
  const required = (variable: string): string => {
    const value = read(variable);
    if (value === undefined) throw credentialsMissing({ variable });
    return value;
  };
  return {
    accessKeyId: required(names.key),
    secretAccessKey: required(names.secret),
    sessionToken: read(names.token),
  };
}
