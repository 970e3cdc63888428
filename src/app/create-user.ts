import type { Role } from "#access";
import type { StoredUser } from "#metadata-store/access";
import type { StorePlatform } from "./platform.ts";

/**
 * A user with a role in the project, and a token that is shown once. @throws ACCESS_USER_EXISTS,
 * ACCESS_USER_NAME_INVALID, ACCESS_ROLE_INVALID
 */
export async function createUserWithToken(
  { access, project }: StorePlatform,
  request: { readonly name: string; readonly role: string; readonly actor: string },
): Promise<{ readonly user: StoredUser; readonly token: string }> {
  const { name, role, actor } = request;
  const user = await access.createUser({ name, roles: [{ project, role: role as Role }], actor });
  const { token } = await access.createToken({ user: name, label: "first token", actor });
  return { user, token };
}
