import type { Plan, Why } from "#pipeline";
import type { Platform } from "./platform.ts";

/**
 * What runs of one pipeline, or of all, would do.
 *
 * @throws PIPELINE_DEFINITION_INVALID, PIPELINE_UNKNOWN, PIPELINE_STEP_UNKNOWN, PIPELINE_PARAM_UNKNOWN
 */
export async function planPipeline(
  platform: Platform,
  request: {
    readonly pipeline?: string | undefined;
    readonly params: Readonly<Record<string, unknown>>;
    readonly from?: string | undefined;
    readonly only?: string | undefined;
  },
): Promise<readonly Plan[]> {
  const [{ plan }, { createPastRuns }] = await Promise.all([import("#pipeline"), import("#engine")]);
  const loaded = await platform.loadProject();
  const names =
    request.pipeline === undefined && loaded.problems.length === 0
      ? loaded.pipelines.map(({ name }) => name)
      : [request.pipeline ?? ""];
  const { params, from, only } = request;
  return Promise.all(
    names.map((pipeline) =>
      plan({
        past: createPastRuns(platform.store),
        loaded,
        pipeline,
        params,
        ...(from === undefined ? {} : { from }),
        ...(only === undefined ? {} : { only }),
      }),
    ),
  );
}

/** Why a step ran or was reused. @throws PIPELINE_DEFINITION_INVALID, PIPELINE_STEP_UNKNOWN */
export async function explainStep(
  platform: Platform,
  request: { readonly step: string; readonly pipeline?: string | undefined },
): Promise<Why> {
  const [{ why }, { createPastRuns }] = await Promise.all([import("#pipeline"), import("#engine")]);
  return why({ past: createPastRuns(platform.store), loaded: await platform.loadProject(), ...request });
}
