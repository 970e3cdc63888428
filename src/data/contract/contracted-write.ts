import { type Clock, formatQuantity } from "#base";
import type { MetadataStore, WriteTransaction } from "#metadata-store";
import type { AttemptContext, MadeVersion } from "#pipeline";
import type { Blobs } from "#storage";
import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { contentOf, type DatasetWrite } from "../dataset.ts";
import { toStoredSelect } from "../delta/data-file.ts";
import { bindReferences, type BindingDependencies } from "./bind-references.ts";
import { checkDataset, checksFound } from "./check-dataset.ts";
import { measuredVersions } from "./measured-versions.ts";
import { type HeldLimits, RowCheck } from "./row-check.ts";
import { loadContract } from "./step-contract.ts";

export interface ContractedDependencies extends BindingDependencies {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly clock: Clock;
}

type ContractedAttempt = AttemptContext<{
  readonly contract?: string | undefined;
  readonly quarantine?: HeldLimits | undefined;
}>;

/** The contract of a step whose rows are computed, around the write that publishes them. */
export interface ContractedWrite {
  /** The write, with rows and dataset checked. */
  into(write: DatasetWrite): DatasetWrite;
  /**
   * The version with what was held back of it; where an earlier attempt wrote it, that is found again.
   *
   * @param again the rows once more; the connection is closed afterwards
   */
  settle(
    made: MadeVersion,
    again: () => Promise<{ readonly connection: AnalyticsConnection; readonly select: string }>,
  ): Promise<MadeVersion>;
  /** For the facts of the step; of no use before `settle`. */
  readonly facts: Readonly<Record<string, number>>;
  /** Notes what is held, in the transaction that records the version. */
  record(transaction: WriteTransaction, of: Omit<Parameters<RowCheck["record"]>[1], "actor" | "atMs">): Promise<void>;
}

/** Does nothing where the step has no contract. @throws DATA_CONTRACT_INVALID */
export async function openContract(
  dependencies: ContractedDependencies,
  attempt: ContractedAttempt,
): Promise<ContractedWrite> {
  const loaded = await loadContract(attempt);
  if (loaded === undefined)
    return {
      into: (write) => write,
      settle: (made) => Promise.resolve(made),
      facts: {},
      record: () => Promise.resolve(),
    };
  const { store, objects, clock } = dependencies;
  const { project, step, workFolder, actor } = attempt;
  const compiled = await bindReferences(dependencies, {
    compiled: loaded.compiled,
    versions: attempt.inputs,
    folder: workFolder,
  });
  const contract = { ...loaded, compiled };
  const log = (text: string): void => attempt.log(text);
  const check = new RowCheck(attempt, { contract, limits: attempt.declaration.quarantine, objects });
  const atMs = clock.now();
  return {
    into: (write) => ({
      ...write,
      check,
      folders: [...(write.folders ?? []), workFolder],
      beforeCommit: async (next) => {
        const said = await write.beforeCommit?.(next);
        const before = await measuredVersions(store, { project, asset: step, isNeeded: compiled.anomalies.length > 0 });
        const { connection, relation, added } = next;
        const found = await checkDataset({ dataset: step, compiled, connection, relation, added, before, atMs, log });
        const { summary } = check;
        return { ...said, ...checksFound(found), ...(summary === undefined ? {} : { quarantine: summary }) };
      },
    }),
    async settle(made, again) {
      if (check.summary === undefined) {
        const { connection, select } = await again();
        try {
          await check.split(connection, await toStoredSelect(connection, select));
        } finally {
          connection.close();
        }
      }
      const { summary } = check;
      if (summary === undefined || summary.quarantined === 0) return made;
      log(`${step}: ${formatQuantity(summary.quarantined, "row")} in quarantine: esteira quarantine list ${step}`);
      return { ...made, content: { ...contentOf(made), quarantine: summary } };
    },
    get facts() {
      const { summary } = check;
      return summary === undefined ? {} : { quarantined: summary.quarantined };
    },
    record: (transaction, of) => check.record(transaction, { ...of, actor, atMs }),
  };
}
