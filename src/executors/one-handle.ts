import type { Executor, ProcessHandle } from "#engine";

/** What is submitted again while it runs is the same process. */
export function oneHandle(start: Executor["submit"]): Executor["submit"] {
  const handles = new Map<string, Promise<ProcessHandle>>();
  return (spec, log) => {
    const known = handles.get(spec.attemptId);
    if (known !== undefined) return known;
    const started = start(spec, log);
    handles.set(spec.attemptId, started);
    const forget = (): boolean => handles.delete(spec.attemptId);
    started.then((handle) => handle.ended.then(forget, forget), forget);
    return started;
  };
}
