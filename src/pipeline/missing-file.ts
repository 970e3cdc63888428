import { nearestName } from "#base";
import type { AnalysisContext, Problem } from "./step-kind.ts";

/** Of a text that was meant to be run: white space, and no ending of a file. */
const LOOKS_LIKE_CODE = /^(?=.*\s)(?!.*\.(?:sql|py|ipynb|[cm]?[jt]s|ya?ml|txt)$)/is;

/**
 * A problem that names a file that is not there, and the one of its kind that is spelt most like it.
 *
 * @param facts.path of the key that names it
 * @param facts.pattern of files that could have been meant, as `sql/*.sql`
 */
export async function missingFile(
  file: string,
  context: Pick<AnalysisContext, "glob" | "step">,
  facts: { readonly path: Problem["path"]; readonly pattern: string },
): Promise<Problem> {
  const { path, pattern } = facts;
  if (LOOKS_LIKE_CODE.test(file.trim())) {
    const ending = /\*\.([a-z]+)$/.exec(pattern)?.[1];
    const example = ending === undefined ? "" : `, ${ending === "sql" ? "sql" : "src"}/${context.step}.${ending} say`;
    return {
      path,
      message: `"${path.join(".")}" names a file of the project, and this is the text of one`,
      hint: `Write the text into a file${example}, and name the file here.`,
    };
  }
  const nearest = nearestName(file, await context.glob(pattern));
  return {
    path,
    message: `There is no file ${file} in the project`,
    ...(nearest === undefined ? {} : { hint: `Did you mean ${nearest}?` }),
  };
}
