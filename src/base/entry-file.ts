/**
 * A program that a module starts in a process or thread of its own, beside the module that starts it: the source, or
 * the bundled program where the module itself is bundled.
 *
 * @param name file name without its ending
 * @param from `import.meta.url` of the module that starts it
 */
export function entryFile(name: string, from: string): URL {
  return new URL(`./${name}${from.endsWith(".ts") ? ".ts" : ".js"}`, from);
}
