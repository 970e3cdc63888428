/** What a project may be called. */
export const PROJECT_NAME: RegExp = /^[a-z][a-z0-9_-]{0,62}$/;
