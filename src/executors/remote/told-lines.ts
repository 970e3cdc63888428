import type { Executor } from "#engine";
import type { MetadataStore } from "#metadata-store";
import { addToldCharacters } from "#metadata-store/tasks";

/**
 * Writes a line of our own into the log of a task. It is noted first: an engine that takes the task over passes over
 * the characters that are kept, and these are none of its process.
 */
export async function tellOwn(
  text: string,
  of: {
    readonly store: Pick<MetadataStore, "write">;
    readonly id: string;
    readonly log: Parameters<Executor["submit"]>[1];
  },
): Promise<void> {
  await of.store.write((transaction) =>
    addToldCharacters(transaction, { id: of.id, characters: Array.from(text).length }),
  );
  await of.log("stderr", text);
}
