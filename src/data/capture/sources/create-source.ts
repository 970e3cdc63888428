import type { CaptureDeclaration } from "../capture-declaration.ts";
import { createFilesSource, type FilesDependencies } from "./files.ts";
import type { Source } from "./source.ts";

export interface SourceDependencies extends FilesDependencies {}

/** The source that a step declares. */
export function createSource({ capture }: CaptureDeclaration, dependencies: SourceDependencies): Source {
  return createFilesSource(capture, dependencies);
}
