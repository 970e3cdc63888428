/** What a step asks of the machine that runs its processes, or what a machine has. */
export interface Resources {
  readonly cpus?: number | undefined;
  readonly gpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
}

const UNITS: Readonly<Record<string, number>> = {
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** How memory is written: `16 GB`, `500 MiB`. */
export const MEMORY: RegExp = /^\d+(\.\d+)?\s*(MB|GB|TB|MiB|GiB|TiB)$/;

/** Bytes of a text that {@link MEMORY} matches. */
export function toBytes(text: string): number {
  const [, amount = "0", unit = ""] = /^([\d.]+)\s*(\w+)$/.exec(text) ?? [];
  return Math.floor(Number(amount) * (UNITS[unit] ?? 1));
}

/** `4 cpus, 1 gpu, 16.0 GiB of memory`; what is undefined is left out. */
export function describeResources({ cpus, gpus, memoryBytes }: Resources): string {
  const parts = [
    cpus === undefined ? undefined : `${cpus} ${cpus === 1 ? "cpu" : "cpus"}`,
    gpus === undefined ? undefined : `${gpus} ${gpus === 1 ? "gpu" : "gpus"}`,
    memoryBytes === undefined ? undefined : `${memoryText(memoryBytes)} of memory`,
  ];
  return parts.filter((part) => part !== undefined).join(", ");
}

function memoryText(bytes: number): string {
  return bytes < 1024 ** 3 ? `${Math.round(bytes / 1024 ** 2)} MiB` : `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}

/** True when all that is asked for is there. What an offer does not name, it has as much of as anybody asks. */
export function hasRoomFor(offer: Resources, asked: Resources): boolean {
  return (["cpus", "gpus", "memoryBytes"] as const).every((name) => (asked[name] ?? 0) <= (offer[name] ?? Infinity));
}
