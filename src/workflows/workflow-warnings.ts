import type { Json, LocatedProblem } from "#base";
import { actionName, builtinOf } from "./builtin-actions.ts";
import { type PlacedJob, secretsReadBy, type WorkflowSettings } from "./compile-workflow.ts";
import { findExpressions, splitExpressions } from "./expression.ts";
import { passedOver } from "./github-actions.ts";
import { environmentOf } from "./runner-labels.ts";
import { findSecretNames } from "./secret-names.ts";
import type { Workflow, WorkflowStep } from "./workflow-file.ts";

/** What of a workflow runs, but not as its author may think. */
export function workflowWarnings({ content, yaml }: Workflow): readonly LocatedProblem[] {
  const warnings: LocatedProblem[] = [];
  if (cancelsInProgress(content.concurrency))
    warnings.push({
      ...yaml.at(["concurrency", "cancel-in-progress"]),
      message: "a newer run waits for the older one: cancel-in-progress ends none here",
    });
  if (content.on.pull_request_target !== undefined || "pull_request_target" in content.on)
    warnings.push({
      ...yaml.atKey(["on", "pull_request_target"]),
      message: "pull_request_target is never started here: it would give a stranger's change the project's secrets",
    });
  if (grantsToken(content.permissions))
    warnings.push({ ...yaml.at(["permissions"]), message: "no OIDC token is given here: id-token does nothing" });
  return warnings;
}

function cancelsInProgress(concurrency: Json | undefined): boolean {
  return (
    typeof concurrency === "object" &&
    concurrency !== null &&
    "cancel-in-progress" in concurrency &&
    concurrency["cancel-in-progress"] !== false
  );
}

function grantsToken(permissions: Json | undefined): boolean {
  return (
    typeof permissions === "object" &&
    permissions !== null &&
    "id-token" in permissions &&
    permissions["id-token"] === "write"
  );
}

/** Texts that people outside choose: put into a script, they are run as part of it. */
const CHOSEN_OUTSIDE =
  /\bgithub\s*\.\s*(head_ref|event\s*\.\s*(pull_request\s*\.\s*(title|body|head\s*\.\s*(ref|label|repo\s*\.\s*default_branch))|issue\s*\.\s*(title|body)|comment\s*\.\s*body|review\s*\.\s*body|review_comment\s*\.\s*body|discussion\s*\.\s*(title|body)|head_commit\s*\.\s*(message|author\s*\.\s*(name|email))|commits|pages|workflow_run\s*\.\s*(head_branch|head_commit|display_title)))/i;

/** The same of one of its jobs. */
export function jobWarnings(job: PlacedJob, settings: WorkflowSettings): readonly LocatedProblem[] {
  const at = (path: readonly (string | number)[]) => job.workflow.yaml.at(["jobs", job.id, ...path]);
  const warnings: LocatedProblem[] = [...secretWarnings(job, settings)];
  for (const [index, step] of (job.content.steps ?? []).entries())
    for (const { key, ...warning } of stepWarnings(step)) warnings.push({ ...at(["steps", index, key]), ...warning });
  if (grantsToken(job.content.permissions))
    warnings.push({ ...at(["permissions"]), message: "no OIDC token is given here: id-token does nothing" });
  const environment = environmentOf(job.content.environment, { contexts: {} });
  if (environment !== undefined && settings.isProtected?.(environment) !== true)
    warnings.push({
      ...at(["environment"]),
      message: `the environment ${environment} is a name here: it protects nothing, and gives no secrets of its own`,
    });
  return warnings;
}

function secretWarnings(job: PlacedJob, settings: WorkflowSettings): readonly LocatedProblem[] {
  const warnings: LocatedProblem[] = [];
  const granted = new Set(settings.secrets.map((name) => name.toUpperCase()));
  for (const { path, source } of findExpressions(job.content)) {
    const { names, unknown } = findSecretNames([source], job.combinations ?? []);
    const place = job.workflow.yaml.at(["jobs", job.id, ...path]);
    if (job.calls.length === 0)
      for (const name of names)
        if (name !== "GITHUB_TOKEN" && !granted.has(name))
          warnings.push({
            ...place,
            message: `the secret ${name} is not granted to workflows: it is empty`,
            hint: `Grant it: workflows: { secrets: [${name}] } in esteira.yaml.`,
          });
    if (unknown.length > 0 && !secretsReadBy(job).isAll)
      warnings.push({
        ...place,
        message: `which secret \${{ ${source.trim()} }} reads is known only when it runs: it is empty`,
        hint: "Name the secret: secrets.NAME.",
      });
  }
  return warnings;
}

interface StepWarning {
  readonly key: string;
  readonly message: string;
  readonly hint?: string;
}

function scriptWarnings(step: WorkflowStep): readonly StepWarning[] {
  const warnings: StepWarning[] = [];
  const script =
    step.run ?? (builtinOf(step.uses ?? "") === "actions/github-script" ? step.with?.["script"] : undefined);
  for (const { type, text } of splitExpressions(script ?? ""))
    if (type === "expression" && CHOSEN_OUTSIDE.test(text))
      warnings.push({
        key: step.run === undefined ? "with" : "run",
        message: `\${{ ${text.trim()} }} stands in a script: whoever chooses that text can run commands`,
        hint: "Put it into env, and read the variable in the script.",
      });
  if (step.run !== undefined && /(^|[\s;&|(])sudo\s/m.test(step.run))
    warnings.push({
      key: "run",
      message: "the script calls sudo: steps run without the rights of root, and install nothing on this machine",
      hint: "Install what it needs on the machine, and let the script go on where it is there.",
    });
  return warnings;
}

/** Inputs of set-up actions that install something: the tool is the machine's, with what it has. */
const NOT_INSTALLED: Readonly<Record<string, readonly string[]>> = {
  "ruby/setup-ruby": ["bundler-cache", "bundler", "rubygems"],
  "shivammathur/setup-php": ["extensions", "tools", "coverage", "ini-values"],
  "dtolnay/rust-toolchain": ["components", "targets", "target"],
  "actions-rs/toolchain": ["components", "target"],
  "actions-rust-lang/setup-rust-toolchain": ["components", "target"],
};

function inputWarnings(step: WorkflowStep): readonly StepWarning[] {
  const inputs = NOT_INSTALLED[builtinOf(step.uses ?? "") ?? ""] ?? [];
  const stated = inputs.filter((name) => !["", "false", "none", "undefined"].includes(String(step.with?.[name])));
  if (stated.length === 0) return [];
  return [
    {
      key: "with",
      message: `${stated.join(", ")} of ${actionName(step.uses ?? "")} ${stated.length === 1 ? "does" : "do"} nothing here: the tool is the machine's, with what it has`,
      hint: "Install it on the machine, or in a step of the job.",
    },
  ];
}

function stepWarnings(step: WorkflowStep): readonly StepWarning[] {
  const warnings: StepWarning[] = [...scriptWarnings(step), ...inputWarnings(step)];
  if (step.if !== undefined && mixesText(step.if))
    warnings.push({
      key: "if",
      message: "text stands beside an expression: the whole is a text, which always holds",
      hint: "Put the whole condition between the braces, or leave them out.",
    });
  const reason = passedOver(actionName(step.uses ?? ""));
  if (reason !== undefined) warnings.push({ key: "uses", message: `${step.uses ?? ""} does nothing here: ${reason}` });
  return warnings;
}

function mixesText(condition: string): boolean {
  const parts = splitExpressions(condition.trim());
  return parts.length > 1 && parts.some(({ type }) => type === "expression");
}
