import type { Identity } from "#access";
import type { MetadataStore } from "#metadata-store";
import { getUser } from "#metadata-store/access";

/** The identity of a user as its token gives it; of a name that is none, the machine's own user. */
export async function callerOf(store: MetadataStore, name: string): Promise<Identity> {
  const user = await store.read((transaction) => getUser(transaction, name));
  if (user === undefined) return { name, kind: "local", roles: [{ project: "*", role: "admin" }] };
  return {
    name,
    kind: user.kind === "service" ? "token" : "user",
    roles: user.grants.map(({ project, role }) => ({ project, role: role as Identity["roles"][number]["role"] })),
    ...(user.owner === undefined ? {} : { owner: user.owner }),
  };
}
