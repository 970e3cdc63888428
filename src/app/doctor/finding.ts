import { EsteiraError, messageOf } from "#base";

/** One thing that was looked at. */
export interface Finding {
  readonly name: string;
  readonly state: "ok" | "warning" | "failure";
  readonly message: string;
  /** What to do about it. */
  readonly cure?: string | undefined;
}

export function gib(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1);
}

export function ok(name: string, message: string): Finding {
  return { name, state: "ok", message };
}

export function warning(name: string, message: string, cure: string): Finding {
  return { name, state: "warning", message, cure };
}

export function failure(name: string, message: string, cure: string): Finding {
  return { name, state: "failure", message, cure };
}

export function failed(name: string, error: unknown, cure?: string): Finding {
  const hint = error instanceof EsteiraError ? error.hint : undefined;
  return { name, state: "failure", message: messageOf(error), cure: hint ?? cure ?? "Mend what the message names." };
}
