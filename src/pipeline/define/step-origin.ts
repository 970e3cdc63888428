import type { FilePosition } from "#base";

/** Where a part is used. */
export interface PartUse extends FilePosition {
  /** The name that it is given there. */
  readonly step: string;
}

/** Where a step of a pipeline is written that comes from a part. */
export interface StepOrigin {
  /** Project-relative path of the part. */
  readonly part: string;
  readonly line: number;
  /** Its name in the part; undefined for the only step of one. */
  readonly step: string | undefined;
  /** From the one in the part that is written last to the one in the pipeline. */
  readonly uses: readonly PartUse[];
  /** Names of the steps of the part. */
  readonly siblings: ReadonlySet<string>;
  /** Its part could not be put in: what is wrong is told already. */
  readonly isBroken: boolean;
  placeOf(path: readonly (string | number)[], isKey: boolean): FilePosition;
}

/** `used in pipelines/p.yaml:3` */
export function describeUses(uses: readonly PartUse[]): string {
  return `used in ${uses.map(({ file, line }) => `${file}:${line}`).join(", which is used in ")}`;
}
