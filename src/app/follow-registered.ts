import { canonicalJson, type Log, messageOf } from "#base";
import type { MetadataStore } from "#metadata-store";
import { getPipelineDefinition, listPipelines } from "#metadata-store/engine";
import type { PipelineDefinition } from "#pipeline";

const PIPELINES_PER_PAGE = 1000;
/** A busy store changes hundreds of times a second; its pipelines are rarer than that. */
const GATHER_MS = 1000;

type RegisteredPipeline = Awaited<ReturnType<typeof listPipelines>>[number];

interface OfProject {
  readonly store: MetadataStore;
  readonly project: string;
}

/** The pipelines that were registered last, by this process or another. */
export function readRegistered({ store, project }: OfProject): Promise<readonly PipelineDefinition[]> {
  return store.read(async (transaction) => {
    const stored = await Promise.all(
      (await listAll(transaction, project)).map(({ digest }) =>
        getPipelineDefinition(transaction, { project, digest }),
      ),
    );
    return stored.flatMap((definition) =>
      definition === undefined ? [] : [JSON.parse(definition.content) as PipelineDefinition],
    );
  });
}

async function listAll(
  transaction: Parameters<typeof listPipelines>[0],
  project: string,
): Promise<readonly RegisteredPipeline[]> {
  const found: RegisteredPipeline[] = [];
  for (let after: string | undefined; ;) {
    const page = await listPipelines(transaction, { project, after, limit: PIPELINES_PER_PAGE });
    found.push(...page);
    after = page.at(-1)?.name;
    if (page.length < PIPELINES_PER_PAGE) return found;
  }
}

/**
 * Keeps a process that registers no pipelines equal to those that were registered last: by the process with the
 * engine.
 *
 * States: new → following (after `start`, which uses what is registered) → ended.
 */
export function followRegistered(
  of: OfProject & { readonly log: Log; /** Takes over what is registered now. */ readonly use: () => Promise<void> },
): { start(): Promise<void>; stop(): Promise<void> } {
  const { store, project, log, use } = of;
  let seen = "";
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let unsubscribe: (() => void) | undefined;

  async function look(): Promise<void> {
    const pipelines = await store.read((transaction) => listAll(transaction, project));
    const found = canonicalJson(pipelines.map(({ name, digest }) => [name, digest]));
    if (found === seen) return;
    await use();
    seen = found;
  }

  return {
    async start() {
      unsubscribe = store.onChange(() => {
        timer ??= setTimeout(() => {
          timer = undefined;
          turn = look().catch((error: unknown) =>
            log.warn("the pipelines that are registered could not be read", { error: messageOf(error) }),
          );
        }, GATHER_MS).unref();
      });
      await use();
    },
    async stop() {
      unsubscribe?.();
      clearTimeout(timer);
      await turn;
    },
  };
}
