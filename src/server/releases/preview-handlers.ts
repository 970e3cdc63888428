import { z } from "zod";
import type { Preview } from "#api";
import type { Platform } from "#app";
import type { PreviewState } from "#delivery";
import { type Deployed, listDeployed, listReleaseCourses } from "#metadata-store/delivery";
import type { ApiHandlers } from "../api/api-mounts.ts";

const MOST = 1000;
const targetSchema = z.object({ address: z.string() });

/** Pull requests with what runs of them, and its end. */
export function createPreviewHandlers({
  store,
  project,
  previews,
}: Platform): Pick<ApiHandlers, "listPreviews" | "removePreview"> {
  const addressesOf = async (environment: string): Promise<ReadonlyMap<string, string | undefined>> =>
    store.read(async (transaction) => {
      const deployed = await listDeployed(transaction, { project, environment });
      const courses = await listReleaseCourses(
        transaction,
        deployed.map(({ releaseId }: Deployed) => releaseId),
      );
      return new Map(
        deployed.map(({ asset, releaseId }) => {
          const target = targetSchema.safeParse(courses.get(releaseId)?.latest?.target);
          return [asset, target.data?.address] as const;
        }),
      );
    });
  return {
    listPreviews: async () => {
      const toItem = async ({ pullRequest, environment, live, runs }: PreviewState): Promise<Preview> => {
        const addresses = live.length === 0 ? undefined : await addressesOf(environment);
        return {
          number: pullRequest.number,
          title: pullRequest.title,
          author: pullRequest.author,
          branch: pullRequest.branch,
          base: pullRequest.base,
          commit: pullRequest.commit,
          url: pullRequest.url,
          state: pullRequest.state,
          isOutside: pullRequest.isOutside,
          environment,
          updatedAtMs: pullRequest.updatedAtMs,
          live: live.map(({ asset, sinceMs }) => ({ asset, sinceMs, address: addresses?.get(asset) })),
          runs: runs.map(({ pipelineRunId, pipeline, status, told, lastError }) => ({
            pipelineRunId,
            pipeline,
            status,
            told,
            problem: lastError,
          })),
        };
      };
      const items = await Promise.all((await previews.list()).map(toItem));
      return { items, more: items.length === MOST };
    },
    removePreview: async ({ params, identity }) => {
      await previews.remove(params.name, identity.name);
      return { id: params.name };
    },
  };
}
