/** Edges of a graph: each name with the names it depends on. */
export type Needs = ReadonlyMap<string, readonly string[]>;

/** A cycle as the path that makes it, first name repeated at the end; undefined when there is none. */
export function findCycle(needs: Needs): readonly string[] | undefined {
  const done = new Set<string>();
  for (const start of needs.keys()) {
    const cycle = cycleFrom(start, needs, done);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** Depth first without recursion: a chain of thousands of steps must not end the stack. */
function cycleFrom(start: string, needs: Needs, done: Set<string>): readonly string[] | undefined {
  const path: { readonly name: string; next: number }[] = [{ name: start, next: 0 }];
  const open = new Set([start]);
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const need = done.has(top.name) ? undefined : (needs.get(top.name) ?? [])[top.next++];
    if (need === undefined) {
      done.add(top.name);
      open.delete(top.name);
      path.pop();
    } else if (open.has(need)) {
      const names = path.map((entry) => entry.name);
      return [...names.slice(names.indexOf(need)), need];
    } else if (!done.has(need)) {
      open.add(need);
      path.push({ name: need, next: 0 });
    }
  }
  return undefined;
}

/** Names so that each comes after what it needs; otherwise in the given order. The graph has no cycle. */
export function topologicalOrder(needs: Needs): readonly string[] {
  const order: string[] = [];
  const waiting = new Map([...needs].map(([name, of]) => [name, new Set(of.filter((need) => needs.has(need)))]));
  const dependents = new Map<string, string[]>([...needs.keys()].map((name) => [name, []]));
  for (const [name, of] of waiting) for (const need of of) dependents.get(need)?.push(name);
  const ready = [...waiting].filter(([, of]) => of.size === 0).map(([name]) => name);
  for (let index = 0; index < ready.length; index++) {
    const name = ready[index];
    if (name === undefined) break;
    order.push(name);
    for (const dependent of dependents.get(name) ?? []) {
      const of = waiting.get(dependent);
      of?.delete(name);
      if (of?.size === 0) ready.push(dependent);
    }
  }
  return order;
}
