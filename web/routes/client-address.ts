import { address } from "./address.ts";

/**
 * The page for an address that MLflow's clients print: `#/experiments/1/runs/ID`, `#/models/NAME/versions/3`; else
 * undefined.
 */
export function clientAddress(hash: string): string | undefined {
  const [path = ""] = hash.replace(/^#/, "").split("?");
  const [area, first, kind, second] = path
    .split("/")
    .slice(1)
    .map((part) => decodePart(part));
  if (area === "experiments" && first !== undefined)
    return kind === "runs" && second !== undefined ? address.trackingRun(second) : address.experiment(first);
  if (area === "models")
    return first === undefined
      ? address.registry()
      : kind === "versions" && second !== undefined
        ? address.registeredVersion(first, second)
        : address.registeredModel(first);
  return area === "experiments" ? address.experiments() : undefined;
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
