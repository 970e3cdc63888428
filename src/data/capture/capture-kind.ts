import type { AssetVersion } from "#metadata-store";
import type { CapturedFile } from "#metadata-store/data";
import type { AnalysisContext, AttemptContext, Problem, StepAnalysis, StepKind, StepOutcome } from "#pipeline";
import { madeAgain, type WriteDisposition } from "../dataset.ts";
import { deletesMissing, isKeyed, madeAnew } from "../write-disposition.ts";
import { writeProblems } from "../write-declaration.ts";
import { contractInputs, contractProblems, referredProblems } from "../contract/step-contract.ts";
import { type CaptureDeclaration, captureSchema } from "./capture-declaration.ts";
import { failEmpty, isFruitless, noteMoves, report, toOutcome } from "./capture-outcome.ts";
import { captureAll, type CaptureRunDependencies } from "./capture-run.ts";
import { noteReferences } from "./note-references.ts";
import { findPosition } from "./source-position.ts";
import { choiceProblems, createSource, type SourceDependencies } from "./sources/create-source.ts";
import { createFindHost } from "./sources/reachable-host.ts";
import type { Source, SourceContext, SourcePosition, SourceReading } from "./sources/source.ts";
import type { TapRunner } from "./sources/tap-runner.ts";

export interface CaptureKindDependencies extends CaptureRunDependencies {
  /** Absolute folders outside the project that captures may read. Default none. */
  readonly captureFolders?: readonly string[];
  /** Hosts, addresses and networks beside the public internet that captures may read. Default none. */
  readonly captureHosts?: readonly string[];
  readonly taps: TapRunner;
}

/** `capture`: what a source has becomes rows of a dataset, each row exactly once. */
export function createCaptureKind(dependencies: CaptureKindDependencies): StepKind<CaptureDeclaration> {
  const outside: SourceDependencies & Pick<CaptureKindDependencies, "analytics" | "store"> = {
    ...dependencies,
    captureFolders: dependencies.captureFolders ?? [],
    findHost: createFindHost(dependencies.captureHosts ?? []),
    secret: dependencies.secret ?? (() => undefined),
  };
  return {
    name: "capture",
    reachesOut: true,
    load: "data",
    schema: captureSchema,
    describe: (declaration) => `capture ${createSource(declaration, outside).description}`,
    analyse: (declaration, context) => analyseCapture(declaration, context, outside),
    async preview(declaration, context) {
      const source = createSource(declaration, outside);
      const position = await findPosition(dependencies.store, datasetOf(context));
      return source.preview(contextOf({ ...context, declaration }, position, source));
    },
    execute: (attempt) => executeCapture(dependencies, outside, attempt),
  };
}

async function analyseCapture(
  declaration: CaptureDeclaration,
  context: AnalysisContext,
  outside: SourceDependencies & Pick<CaptureKindDependencies, "analytics" | "store">,
): Promise<StepAnalysis> {
  const { contract } = declaration;
  const choice = choiceProblems(declaration);
  const { problems, fingerprint } =
    choice.length > 0
      ? { problems: choice, fingerprint: undefined }
      : await createSource(declaration, outside).analyse(context);
  return {
    inputs: contract === undefined ? [] : await contractInputs(contract, context),
    makes: [{ asset: context.step, kind: "data" }],
    files: contract === undefined ? [] : [contract],
    ...(fingerprint === undefined ? { cacheable: false } : { fingerprint }),
    problems: [
      ...problems,
      ...(await writeProblems(outside.analytics, declaration.write)),
      ...wholeProblems(declaration),
      ...(contract === undefined ? [] : await contractProblems(contract, context)),
      ...(contract === undefined ? [] : await referredProblems(outside.store, contract, context)),
    ],
  };
}

/** What is read must be all that there is, where the rest is deleted. */
function wholeProblems({ capture, write }: CaptureDeclaration): Problem[] {
  if (!deletesMissing(write)) return [];
  const { postgres, mysql, sqlite, http, singer, nats, push } = capture;
  if (singer?.replication === "incremental") return [wholeProblem("only the records that are new by the tap's state")];
  if (postgres?.replication !== undefined)
    return [wholeProblem("only the rows that changed; those that are deleted are told by the log")];
  if (nats !== undefined) return [wholeProblem("only the messages that are new")];
  const part =
    push === undefined
      ? (postgres ?? mysql ?? sqlite ?? http)?.cursor === undefined
        ? undefined
        : "only the rows that are new by the cursor"
      : "only the events that it takes";
  return part === undefined ? [] : [wholeProblem(part)];
}

function wholeProblem(part: string): Problem {
  return {
    path: ["write", "delete"],
    message: `a run reads ${part}, and would delete all others as missing`,
    hint: "Use delete_when with a column that marks deleted rows, or read the whole source.",
  };
}

async function executeCapture(
  dependencies: CaptureKindDependencies,
  outside: SourceDependencies,
  attempt: AttemptContext<CaptureDeclaration>,
): Promise<StepOutcome> {
  const position = await findPosition(dependencies.store, datasetOf(attempt));
  const declared = createSource(attempt.declaration, outside);
  const context = contextOf(attempt, position, declared);
  const source = await declared.open(context);
  try {
    const reading = await source.read(attempt);
    for (const note of reading.notes) attempt.log(note);
    const { latest } = position;
    if (reading.files.length === 0 && latest !== undefined) {
      await noteReferences(dependencies, attempt, latest);
      return nothingNew(attempt, reading, latest);
    }
    const keepsRows = declared.keeps === "rows";
    const plan = { disposition: context.disposition, latest, reading, keepsRows };
    const captured = await captureAll(dependencies, attempt, plan);
    for (const { result } of captured) report(attempt, result);
    if (isFruitless(attempt, captured)) await failEmpty(dependencies, attempt, captured);
    return toOutcome(dependencies, attempt, { captured, plan });
  } catch (error) {
    // The error that ended the capture is the one to report.
    await source.failed?.((text) => attempt.log(text)).catch(() => {});
    throw error;
  } finally {
    await source.close();
  }
}

function nothingNew(
  attempt: AttemptContext<CaptureDeclaration>,
  { nothingNew: text, moved, published }: SourceReading,
  latest: AssetVersion,
): StepOutcome {
  attempt.log(text);
  return {
    status: "succeeded",
    made: [madeAgain(latest)],
    facts: { files: 0, read: 0, published: 0, quarantined: 0 },
    ...(moved.length === 0 ? {} : { alsoWrite: (transaction) => noteMoves(transaction, attempt, moved) }),
    ...(published === undefined ? {} : { afterwards: published }),
  };
}

function datasetOf({ project, step }: { readonly project: string; readonly step: string }): {
  readonly project: string;
  readonly dataset: string;
} {
  return { project, dataset: step };
}

function contextOf(
  of: Pick<AttemptContext<CaptureDeclaration>, "project" | "step" | "projectFolder" | "declaration">,
  position: SourcePosition,
  source: Source,
): SourceContext {
  const { project, step, projectFolder } = of;
  const disposition = dispositionOf(declaredWrite(of.declaration, source), position.ledger);
  return { project, step, projectFolder, position, disposition };
}

function declaredWrite({ write }: CaptureDeclaration, source: Source): WriteDisposition {
  if (write === undefined) return source.write;
  return isKeyed(write) && source.duplicates !== undefined ? { duplicates: source.duplicates, ...write } : write;
}

function dispositionOf(write: WriteDisposition, ledger: readonly CapturedFile[]): WriteDisposition {
  // All files were asked for anew: the dataset is made again from them.
  if (ledger.some(({ state }) => state === "anew")) return madeAnew(write);
  return write;
}
