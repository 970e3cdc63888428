/** One server-sent event. */
export interface StreamEvent {
  readonly name: string;
  readonly data: string;
  readonly id: string | undefined;
}

/**
 * Reads the text of an event stream piece by piece (HTML standard, section 9.2.6); pieces may end anywhere.
 *
 * @returns a function that takes the next piece and gives the events that it completed
 */
export function createEventReader(): (piece: string) => readonly StreamEvent[] {
  let rest = "";
  return (piece) => {
    const blocks = (rest + piece).replace(/\r\n?/g, "\n").split("\n\n");
    rest = blocks.pop() ?? "";
    return blocks.flatMap(parseBlock);
  };
}

function parseBlock(block: string): readonly StreamEvent[] {
  let name = "message";
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    else if (field === "id") id = value;
    else if (field === "data") data.push(value);
  }
  return data.length === 0 && name === "message" ? [] : [{ name, data: data.join("\n"), id }];
}
