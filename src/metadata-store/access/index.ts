export { getToken, insertToken, listTokens, revokeToken, type StoredToken, touchToken } from "./token.ts";
export { countGrants, getUser, hasUsers, insertUser, listUsers, setGrant, type StoredUser } from "./user.ts";
