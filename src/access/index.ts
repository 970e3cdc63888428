export { type Access, createAccess, type NewToken, TASK_TOKEN_PREFIX } from "./access.ts";
export { authorize } from "./authorize.ts";
export { type AttemptIdentity, type Identity, isAllowed, type Resource, roleIn } from "./identity.ts";
export { type Role, ROLES_OF_ACTION } from "./roles.ts";
