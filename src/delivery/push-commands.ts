import { messageOf } from "#base";
import { pushInvalid } from "./errors.ts";
import { PacketReader } from "./packet-line.ts";

const LARGEST_COMMANDS_BYTES = 1024 * 1024;
const COMMAND = /^([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) (refs\/[^\0\n]+)\n?$/;

/** One ref that a client wants to move. */
export interface PushCommand {
  readonly before: string;
  /** Zeros: it goes. */
  readonly after: string;
  readonly ref: string;
}

/** The head of a push. */
export interface PushHead {
  readonly commands: readonly PushCommand[];
  readonly capabilities: ReadonlySet<string>;
  /** What `git push -o` gave. */
  readonly options: readonly string[];
  /** Everything that the client sends, what was read here first. */
  readonly whole: AsyncGenerator<Uint8Array>;
}

/**
 * Reads the commands of a push and leaves its objects in the stream. Source: gitprotocol-pack, "Pushing Data To a
 * Server".
 *
 * @throws DELIVERY_PUSH_INVALID
 */
export async function readPushHead(input: AsyncIterable<Uint8Array>): Promise<PushHead> {
  const chunks = input[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  const reader = new PacketReader();
  let sizeBytes = 0;
  const readSection = async (): Promise<readonly string[]> => {
    const lines: string[] = [];
    for (;;) {
      const packet = nextPacket(reader);
      if (packet === undefined) {
        const { done, value } = await chunks.next();
        if (done === true) return lines;
        taken.push(value);
        sizeBytes += value.length;
        if (sizeBytes - value.length > LARGEST_COMMANDS_BYTES)
          throw pushInvalid({ problem: `its commands are larger than ${LARGEST_COMMANDS_BYTES} bytes` });
        reader.add(value);
      } else if ("mark" in packet) return lines;
      else lines.push(packet.payload.toString("utf8"));
    }
  };
  const lines = await readSection();
  const [first = ""] = lines.filter((line) => !line.startsWith("shallow "));
  const nul = first.indexOf("\0");
  const capabilities = new Set(
    nul < 0
      ? []
      : first
          .slice(nul + 1)
          .trim()
          .split(" "),
  );
  const commands = lines.flatMap((line) => parseCommand(line.split("\0")[0] ?? ""));
  const options = capabilities.has("push-options") && commands.length > 0 ? await readSection() : [];
  return { commands, capabilities, options: options.map((option) => option.trim()), whole: replay(taken, chunks) };
}

function nextPacket(reader: PacketReader): ReturnType<PacketReader["next"]> {
  try {
    return reader.next();
  } catch (error) {
    throw pushInvalid({ problem: messageOf(error) }, error);
  }
}

function parseCommand(line: string): readonly PushCommand[] {
  const [, before, after, ref] = COMMAND.exec(line) ?? [];
  return before === undefined || after === undefined || ref === undefined ? [] : [{ before, after, ref }];
}

async function* replay(taken: readonly Uint8Array[], chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* taken;
  for (;;) {
    const { done, value } = await chunks.next();
    if (done === true) return;
    yield value;
  }
}
