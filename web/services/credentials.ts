const STORAGE_KEY = "esteira-token";

/** The token that someone signed in with; kept until the browser's tab is closed. */
export const credentials = {
  has: (): boolean => sessionStorage.getItem(STORAGE_KEY) !== null,
  set: (token: string): void => sessionStorage.setItem(STORAGE_KEY, token),
  clear: (): void => sessionStorage.removeItem(STORAGE_KEY),
  /** What requests carry; nothing for a caller who is known by being on this machine. */
  headers: (): Readonly<Record<string, string>> => {
    const token = sessionStorage.getItem(STORAGE_KEY);
    return token === null ? {} : { authorization: `Bearer ${token}` };
  },
} as const;
