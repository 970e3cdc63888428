import { authorize, type Identity } from "#access";

/**
 * Refuses those who are not administrators.
 *
 * @param project one project, or `*` for every project
 * @throws ACCESS_DENIED
 */
export function assertAdministrator(identity: Identity, project: string): void {
  authorize(identity, "administer", { project });
}
