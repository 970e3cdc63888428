import type { TableScored, TableScoring } from "#serving";
import type { Platform } from "./platform.ts";

/** `name`, or `name@version`. */
interface Named {
  readonly name: string;
  readonly version?: number | undefined;
}

/** Predicts every row of a file or a dataset with a model of the project. @throws as `scoreTable` of `#serving` */
export async function scoreWithModel(
  platform: Platform,
  request: Omit<TableScoring, "model" | "data"> & {
    readonly model: Named;
    readonly data: Named | { readonly file: string };
  },
): Promise<TableScored> {
  const { store, project, analytics, datasets, serving } = platform;
  const { findScored, scoreTable } = await import("#serving");
  const { model, data, ...rest } = request;
  return scoreTable(
    {
      ...rest,
      model: await findScored(store, { project, kind: "model", ...model }),
      data: "file" in data ? data : await findScored(store, { project, kind: "dataset", ...data }),
    },
    { analytics, datasets, scorer: serving.scorer },
  );
}
