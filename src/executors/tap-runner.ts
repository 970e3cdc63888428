import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Digest, Json } from "#base";
import type { AttemptContext, ProcessResult } from "#pipeline";
import type { PythonEnvironments } from "./python-environment.ts";
import { pythonPackageFolder } from "./step-context.ts";

/** What a tap has no business with: it is a program of somebody else. */
const PLATFORM = ["ESTEIRA_TOKEN", "MLFLOW_TRACKING_TOKEN"] as const;

interface TapPlan {
  readonly step: string;
  readonly requirements: readonly string[];
  readonly executable: string;
  readonly config: string;
  readonly secrets: readonly string[];
  readonly folder: string;
  readonly request: Readonly<Record<string, Json>>;
}

interface TapEnded {
  readonly ended: ProcessResult;
  readonly environmentLock: Digest;
}

/** Runs Singer taps as processes of their steps. The config of each is a file in memory, since it may hold secrets. */
export function createTapRunner({ environments }: { readonly environments: PythonEnvironments }): {
  run(attempt: Pick<AttemptContext<unknown>, "signal" | "log" | "runProcess">, tap: TapPlan): Promise<TapEnded>;
} {
  return {
    async run(attempt, { step, requirements, executable, config, secrets, folder, request }) {
      const environment = await environments.prepare({
        requirements: `${requirements.join("\n")}\n`,
        requirementsFile: `step ${step}`,
        signal: attempt.signal,
        report: (line) => attempt.log(line),
      });
      const file = join(folder, "esteira-request.json");
      const tap = join(dirname(environment.python), executable);
      const hidden = [...PLATFORM, "ESTEIRA_TAP_SECRETS_FILE"];
      await writeFile(file, JSON.stringify({ ...request, tap, folder, hidden }));
      const ended = await attempt.runProcess({
        command: [environment.python, join(pythonPackageFolder, "esteira", "_singer.py"), file],
        workingFolder: folder,
        environment: {
          PYTHONUNBUFFERED: "1",
          PYTHONIOENCODING: "utf-8",
          ...Object.fromEntries(PLATFORM.map((name) => [name, ""])),
        },
        secretFiles: { ESTEIRA_TAP_CONFIG: config, ESTEIRA_TAP_SECRETS: JSON.stringify(secrets) },
        secrets,
        readable: [pythonPackageFolder, ...environment.folders],
        takes: [folder],
      });
      return { ended, environmentLock: environment.lockDigest };
    },
  };
}
