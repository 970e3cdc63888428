import type { ReadTransaction } from "#metadata-store";
import type { ModelVersion } from "#metadata-store/registry";

/** A protected alias that a client wants to move or take away. */
export interface Promotion {
  /** Registered model. */
  readonly name: string;
  readonly alias: string;
  /** Where it is to point; undefined when it is taken away. */
  readonly version: ModelVersion | undefined;
  /** Name of the caller. */
  readonly actor: string;
}

/**
 * Decides whether a client may move a protected alias (`champion`: what is in production). Asked only about models that
 * a pipeline made: the versions of plain MLflow users are theirs. Declared here, implemented by `governance`.
 */
export interface PromotionCheck {
  /** Whether an alias is protected by the rules that are in force, whatever this process was configured with. */
  protects(transaction: ReadTransaction, alias: string): Promise<boolean>;
  /**
   * @param transaction the one that would move the alias
   * @returns undefined when it may move, else one sentence with the reason and one with the command that changes it
   */
  refuse(
    transaction: ReadTransaction,
    promotion: Promotion,
  ): Promise<{ readonly reason: string; readonly hint: string } | undefined>;
}
