import { resolve } from "node:path";
import { exportCode, type ExportedCode } from "#packaging";
import type { Platform } from "./platform.ts";

/** Writes the files of a version of code into a folder. @throws what `exportCode` throws */
export async function exportPackagedCode(
  { store, objects, project }: Pick<Platform, "store" | "objects" | "project">,
  request: { readonly name: string; readonly to: string; readonly version?: number | undefined },
): Promise<ExportedCode> {
  return exportCode({ project, ...request, to: resolve(request.to) }, { store, objects });
}
