import { mkdir, readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { type Clock, type Digest, digestOf, type Json } from "#base";
import {
  lockOf,
  logsToMlflow,
  otherFiles,
  publishOutput,
  type PythonEnvironments,
  type StepContext,
  writeStepContext,
} from "#executors";
import { appendEvent, type AssetVersion, type MetadataStore, recordAssetVersion } from "#metadata-store";
import type { Blobs } from "#storage";
import { assertInside, type AttemptContext, type PythonEnvironment, type StepKind, type StepOutcome } from "#pipeline";
import { kernelStartFailed, languageUnsupported, parametersRefused } from "./errors.ts";
import { type ExecutedNotebook, executeNotebook } from "./execute-notebook.ts";
import { writeEvidence } from "./executed-notebook.ts";
import { type Kernel, startKernel } from "./kernel.ts";
import { analyseNotebook } from "./notebook-analysis.ts";
import { type Notebook, parseNotebook } from "./notebook.ts";
import { checkParameters, type DeclaredParameters, readParameters } from "./parameters.ts";
import { redactSecrets } from "./secret-scan.ts";
import { digestOfSource, sourceCells, strippedNotebook } from "./source-digest.ts";
import { positionInFile } from "./source-position.ts";

const KERNEL_START_MS = 60_000;

/** `notebook: notebooks/train.ipynb` and what belongs to it. */
export interface NotebookDeclaration {
  readonly notebook: string;
  readonly params?: Readonly<Record<string, Json>> | undefined;
  /** Requirements file of the environment. */
  readonly python?: string | undefined;
  readonly inputs?: readonly string[] | undefined;
  readonly makes?: "model" | "data" | "features" | "report" | undefined;
  readonly files?: string | readonly string[] | undefined;
  /** Seconds. */
  readonly cell_timeout?: number | undefined;
}

const schema: z.ZodType<NotebookDeclaration> = z.strictObject({
  notebook: z
    .string()
    .regex(/\.ipynb$/, "expected a path that ends in .ipynb")
    .describe("The notebook, project-relative. Its identity is the digest of its source, without outputs."),
  params: z
    .record(z.string(), z.json())
    .optional()
    .describe('Values for the cell tagged "parameters"; names and types are checked before anything runs.'),
  python: z
    .string()
    .optional()
    .describe("Requirements file of the notebook's environment; ipykernel is added when it is not listed."),
  inputs: z.array(z.string()).optional().describe('Assets it reads, beside those in esteira.input("…").'),
  makes: z
    .enum(["model", "data", "features", "report"])
    .optional()
    .describe("What the step makes, under its own name. A report is the executed notebook itself."),
  files: otherFiles,
  cell_timeout: z
    .number()
    .positive()
    .optional()
    .describe("Seconds after which a cell is interrupted; default: no limit but the step's `timeout`."),
}) as z.ZodType<NotebookDeclaration>;

export interface NotebookKindDependencies {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly environments: PythonEnvironments;
  readonly clock: Clock;
  /** Folder with a short path for the kernels' sockets, such as `os.tmpdir()`. */
  readonly temporaryFolder: string;
}

/**
 * Steps that execute a notebook from top to bottom in a new kernel.
 *
 * The source digest becomes a version of the asset named like the file; what the step makes was made from it. The
 * executed notebook is kept in the object store, also when it failed: fact `executedNotebook`, event
 * `notebook.executed`.
 */
export function createNotebookKind(deps: NotebookKindDependencies): StepKind<NotebookDeclaration> {
  return {
    name: "notebook",
    load: "models",
    schema,
    describe: ({ notebook, params }) =>
      `notebook ${notebook}${
        params === undefined
          ? ""
          : ` with ${Object.entries(params)
              .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
              .join(", ")}`
      }`,
    workspace: () => [],
    isClosed: true,
    writesPartitions: ({ makes }) => makes === "data" || makes === "features",
    analyse: analyseNotebook,
    execute: (attempt) => execute(attempt, deps),
  };
}

interface Prepared {
  readonly file: string;
  readonly text: string;
  readonly notebook: Notebook;
  readonly declared: DeclaredParameters;
  readonly parameters: Readonly<Record<string, Json>>;
  /** The project's files that it imports or names, by path. */
  readonly sources: ReadonlyMap<string, Buffer>;
  /** Of the notebook and those files. */
  readonly digest: Digest;
}

async function execute(
  attempt: AttemptContext<NotebookDeclaration>,
  deps: NotebookKindDependencies,
): Promise<StepOutcome> {
  const prepared = await prepare(attempt);
  const { python: requirementsFile, makes } = attempt.declaration;
  const environment = await deps.environments.prepare({
    requirements:
      requirementsFile === undefined ? "" : await readFile(resolve(attempt.projectFolder, requirementsFile), "utf8"),
    requirementsFile: requirementsFile ?? prepared.file,
    extra: ["ipykernel"],
    signal: attempt.signal,
    report: (line) => attempt.log(line),
  });
  const version = await recordNotebook(attempt, prepared, deps);
  const defaults = Object.fromEntries(
    prepared.declared.parameters.flatMap(({ name, default: value }) => (value === undefined ? [] : [[name, value]])),
  );
  const context = await writeStepContext(attempt, { ...defaults, ...prepared.parameters });
  if (makes === "model" || logsToMlflow(environment.lock)) await attempt.trackingRun();
  const executed = await run(attempt, { deps, prepared, context, environment });
  const evidence = (await deps.objects.put(executed.text)).digest;
  const facts = {
    notebook: prepared.file,
    notebookDigest: prepared.digest,
    notebookVersionId: version.id,
    executedNotebook: evidence,
    cells: executed.cellsExecuted,
    environmentLock: environment.lockDigest,
    parameters: { ...defaults, ...prepared.parameters },
    ...(executed.redactedRules.length === 0 ? {} : { secretsRemoved: executed.redactedRules }),
  };
  const event = {
    atMs: deps.clock.now(),
    project: attempt.project,
    type: "notebook.executed",
    subjectKind: "step_run",
    subject: attempt.stepRunId,
    actor: attempt.actor,
    data: { ...facts, attemptId: attempt.attemptId, failed: executed.failure !== undefined },
  } as const;
  if (executed.failure !== undefined) {
    await deps.store.write((transaction) => appendEvent(transaction, event));
    throw executed.failure(evidence);
  }
  if (makes === "report")
    await writeEvidence(join(await outputFolderOf(context, attempt), "executed.ipynb"), executed.text);
  const published =
    makes === undefined
      ? undefined
      : await publishOutput(attempt, {
          kind: makes,
          outputFolder: context.outputFolder,
          environmentLock: environment.lockDigest,
          options: {
            notebookDigest: prepared.digest,
            executedNotebook: evidence,
            parameters: facts.parameters,
            ...lockOf(environment),
          },
          alsoMadeFrom: [{ versionId: version.id, role: "notebook" }],
        });
  return {
    status: "succeeded",
    made: published?.made ?? [],
    environmentLock: environment.lockDigest,
    facts,
    alsoWrite: async (transaction) => {
      await appendEvent(transaction, event);
      await published?.alsoWrite?.(transaction);
    },
  };
}

async function outputFolderOf({ outputFolder }: StepContext, { step, workFolder }: OwnAttempt): Promise<string> {
  const folder = join(outputFolder, step);
  await mkdir(folder, { recursive: true });
  await assertInside(folder, { folders: [workFolder], asset: step });
  return folder;
}

type OwnAttempt = Pick<AttemptContext<unknown>, "step" | "workFolder">;

/** Everything that can be refused without a kernel. */
async function prepare(attempt: AttemptContext<NotebookDeclaration>): Promise<Prepared> {
  const file = attempt.declaration.notebook;
  const text = await readFile(resolve(attempt.projectFolder, file), "utf8");
  const notebook = parseNotebook(text, file);
  if (notebook.language.toLowerCase() !== "python") throw languageUnsupported({ file, language: notebook.language });
  const declared = await readParameters(notebook);
  const parameters = givenParameters(attempt);
  const problems = [...declared.problems, ...checkParameters(declared, parameters)];
  if (problems.length > 0)
    throw parametersRefused({
      file,
      problems: problems.map(({ message, hint }) =>
        hint === undefined ? message : `${message} (${hint.replace(/\.$/, "")})`,
      ),
    });
  const sources = await readSources(attempt);
  const digest = digestOfSource(
    notebook,
    Object.fromEntries([...sources].map(([path, content]) => [path, digestOf(content)])),
  );
  return { file, text, notebook, declared, parameters, sources, digest };
}

/** The requirements are no source of the notebook: what was installed for them is in the record of what it makes. */
async function readSources({
  files,
  declaration,
  projectFolder,
}: AttemptContext<NotebookDeclaration>): Promise<ReadonlyMap<string, Buffer>> {
  const sources = new Map<string, Buffer>();
  for (const path of files)
    if (path !== declaration.python) sources.set(path, await readFile(resolve(projectFolder, path)));
  return sources;
}

/** The step's own params; where the declaration still holds a placeholder, the engine's resolved value counts. */
function givenParameters(attempt: AttemptContext<NotebookDeclaration>): Readonly<Record<string, Json>> {
  const declared = attempt.declaration.params ?? {};
  return Object.fromEntries(
    Object.entries(declared).map(([name, value]) => [
      name,
      typeof value === "string" && value.includes("${{") ? (attempt.params[name] ?? value) : value,
    ]),
  );
}

async function recordNotebook(
  attempt: AttemptContext<NotebookDeclaration>,
  { file, notebook, digest, declared, sources }: Prepared,
  deps: NotebookKindDependencies,
): Promise<AssetVersion> {
  const stripped = await deps.objects.put(strippedNotebook(notebook));
  const stored: { path: string; digest: Digest; sizeBytes: number }[] = [];
  for (const [source, content] of sources) stored.push({ path: source, ...pick(await deps.objects.put(content)) });
  const path = file.split("/").at(-1) ?? file;
  const { version } = await deps.store.write((transaction) =>
    recordAssetVersion(transaction, {
      project: attempt.project,
      asset: file,
      kind: "notebook",
      digest,
      madeAtMs: deps.clock.now(),
      actor: attempt.actor,
      pipelineRunId: attempt.pipelineRunId,
      stepRunId: attempt.stepRunId,
      sizeBytes: stored.reduce((sum, { sizeBytes }) => sum + sizeBytes, stripped.sizeBytes),
      content: {
        format: "tree/1",
        // The notebook first, then what it imports.
        files: [{ path, ...pick(stripped) }, ...stored],
        cells: sourceCells(notebook).length,
        kernel: notebook.kernel,
        parameters: declared.parameters.map(({ name, typeText, required, help }) => ({
          name,
          type: typeText,
          required,
          ...(help === undefined ? {} : { help }),
        })),
        ...(attempt.commit === undefined ? {} : { commit: attempt.commit }),
      },
      inputs: [],
    }),
  );
  return version;
}

function pick({ digest, sizeBytes }: { readonly digest: Digest; readonly sizeBytes: number }): {
  digest: Digest;
  sizeBytes: number;
} {
  return { digest, sizeBytes };
}

async function run(
  attempt: AttemptContext<NotebookDeclaration>,
  parts: {
    readonly deps: NotebookKindDependencies;
    readonly prepared: Prepared;
    readonly context: StepContext;
    readonly environment: PythonEnvironment;
  },
): Promise<ExecutedNotebook> {
  const { prepared, deps } = parts;
  const kernel = await openKernel(attempt, parts);
  const evidenceFile = join(attempt.workFolder, "executed.ipynb");
  try {
    return await executeNotebook({
      notebook: prepared.notebook,
      file: prepared.file,
      declared: prepared.declared,
      parameters: prepared.parameters,
      kernel,
      cellTimeoutMs:
        attempt.declaration.cell_timeout === undefined ? undefined : attempt.declaration.cell_timeout * 1000,
      signal: attempt.signal,
      facts: {
        sourceDigest: prepared.digest,
        commit: attempt.commit?.id ?? null,
        stepRunId: attempt.stepRunId,
        attemptId: attempt.attemptId,
        environmentLock: parts.environment.lockDigest,
        packages: parts.environment.lock.split("\n"),
        inputs: Object.fromEntries(
          [...attempt.inputs].map(([name, input]) => [
            name,
            { id: input.id, version: input.version, digest: input.digest },
          ]),
        ),
      },
      nowMs: () => deps.clock.now(),
      lineInFile: (cellIndex, line) => (cellIndex < 0 ? 1 : positionInFile(prepared.text, cellIndex, line).line),
      log: (text, stream) => attempt.log(text, stream),
      progress: (done, total) => attempt.progress(done, total, "cells"),
      save: (text) => writeEvidence(evidenceFile, text),
    });
  } finally {
    await kernel.shutdown();
  }
}

async function openKernel(
  attempt: AttemptContext<NotebookDeclaration>,
  {
    deps,
    prepared,
    context,
    environment,
  }: {
    readonly deps: NotebookKindDependencies;
    readonly prepared: Prepared;
    readonly context: StepContext;
    readonly environment: PythonEnvironment;
  },
): Promise<Kernel> {
  // What a kernel says while it starts is of interest only when it does not.
  const opening: string[] = [];
  let started = false;
  try {
    const kernel = await startKernel({
      temporaryFolder: deps.temporaryFolder,
      startTimeoutMs: KERNEL_START_MS,
      start: (connectionFile, signal) =>
        attempt.runProcess({
          command: [
            environment.python,
            "-m",
            "ipykernel_launcher",
            "-f",
            connectionFile,
            "--HistoryManager.enabled=False",
            "--colors=NoColor",
          ],
          workingFolder: attempt.projectFolder,
          environment: {
            ...context.environment,
            IPYTHONDIR: join(attempt.workFolder, "ipython"),
            JUPYTER_PLATFORM_DIRS: "1",
            PYDEVD_DISABLE_FILE_VALIDATION: "1",
          },
          readable: [...context.folders, ...environment.folders],
          // Holds the kernel's sockets.
          writable: [dirname(connectionFile)],
          signal,
          onOutput: (stream, text) =>
            started ? attempt.log(redactSecrets(text.replace(/\n$/, "")), stream) : opening.push(text),
        }),
    });
    started = true;
    return kernel;
  } catch (error) {
    attempt.log(redactSecrets(opening.join("")), "stderr");
    if (error instanceof Error && error.name === "KernelStartError")
      throw kernelStartFailed({ file: prepared.file, reason: error.message }, error);
    throw error;
  }
}
