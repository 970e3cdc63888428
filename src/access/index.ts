export { type Access, createAccess, type NewToken } from "./access.ts";
export { authorize } from "./authorize.ts";
export { type Action, type AttemptIdentity, type Identity, isAllowed, type Role, roleIn } from "./identity.ts";
