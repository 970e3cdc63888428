import { useQuery } from "@tanstack/react-query";
import type { ApiProblem } from "#api";
import { loadProblems, problemText } from "../messages/problems.ts";
import { useLanguage } from "./language.tsx";

/** An error in the words of the page's language; the server's until they are read. */
export function useProblemText(problem: ApiProblem | undefined): {
  readonly message: string;
  readonly hint: string | undefined;
} {
  const { language } = useLanguage();
  const { data } = useQuery({
    queryKey: ["problem-texts", language],
    queryFn: () => loadProblems(language),
    staleTime: Infinity,
    enabled: problem !== undefined,
  });
  if (problem === undefined) return { message: "", hint: undefined };
  return problemText(data ?? { texts: {}, terms: {} }, problem);
}
