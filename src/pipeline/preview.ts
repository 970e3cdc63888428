import { z } from "zod";

/** Stands between the name of a project and that of one of its previews; no name of a project has it. */
const SIGN = "~";
/** Before the name of a preview in that of its environment. */
const FOLDER = "preview/";

/** What a pull request has to itself: what its pipeline runs make and deploy is seen by nobody else. */
export interface Preview {
  /** Of its environment, without `preview/`. */
  readonly name: string;
  /** The code is of somebody who may not write to the repository: it gets no secret, no network and no environment. */
  readonly isOutside: boolean;
}

const causeSchema = z.object({ preview: z.string().min(1), outside: z.boolean() });

/** The preview that a pipeline run works for; undefined when it works for the project. */
export function previewOf(trigger: {
  readonly kind: string;
  readonly cause?: object | undefined;
}): Preview | undefined {
  if (trigger.kind !== "pull_request") return undefined;
  const cause = causeSchema.safeParse(trigger.cause);
  // What cannot be told is of a stranger.
  return cause.success
    ? { name: cause.data.preview, isOutside: cause.data.outside }
    : { name: "unknown", isOutside: true };
}

/** Where the assets of a preview are: a project of their own in the store. */
export function projectOfPreview(project: string, { name }: Pick<Preview, "name">): string {
  return `${project}${SIGN}${name}`;
}

/** The project that a preview belongs to; any other project itself. */
export function homeProject(project: string): string {
  const at = project.indexOf(SIGN);
  return at === -1 ? project : project.slice(0, at);
}

/** What a name gets that previews must not share with their project; empty outside of previews. */
export function previewSuffix(project: string): string {
  const at = project.indexOf(SIGN);
  return at === -1 ? "" : project.slice(at);
}

/** The environment of a preview. */
export function environmentOfPreview({ name }: Pick<Preview, "name">): string {
  return `${FOLDER}${name}`;
}

/** The environment that an attempt of a preview deploys to; undefined outside of previews. */
export function environmentOfProject(project: string): string | undefined {
  const suffix = previewSuffix(project);
  return suffix === "" ? undefined : environmentOfPreview({ name: suffix.slice(SIGN.length) });
}

/** True for the environment of a preview. */
export function isPreviewEnvironment(environment: string): boolean {
  return environment.startsWith(FOLDER);
}
