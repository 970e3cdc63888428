import { createCaptureKind, createPublishKind, createSqlKind } from "#data";
import type { Settings } from "#config";
import { createDeployKind } from "#delivery";
import { createNodeKind, createPythonKind, createRunKind } from "#executors";
import { createJoinKind } from "#features";
import { createTestKind } from "#models";
import { createNotebookKind } from "#notebooks";
import type { StepKind } from "#pipeline";
import { createScoreKind } from "#serving";
import type { Parts } from "./parts.ts";

/** Every step kind. Adding one is its file and a line here. */
export function createStepKinds(parts: Parts, settings: Pick<Settings, "secret">): readonly StepKind<never>[] {
  return [
    createRunKind(),
    createPythonKind(parts),
    createNodeKind(),
    createCaptureKind({
      ...parts,
      captureFolders: parts.config.capture.folders,
      captureHosts: parts.config.capture.hosts,
      secret: (name) => settings.secret(name),
    }),
    createSqlKind(parts),
    createPublishKind(parts),
    createJoinKind(parts),
    createNotebookKind(parts),
    createTestKind({ ...parts, datasets: parts.reader, scorer: parts.serving.scorer }),
    createScoreKind({ ...parts, scorer: parts.serving.scorer }),
    createDeployKind(parts),
  ] as unknown as readonly StepKind<never>[];
}
