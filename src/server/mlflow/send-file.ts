import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import type { MlflowFile } from "#tracking";

const BUFFER_BYTES = 512 * 1024;
/** One is read into while two are on their way. */
const BUFFER_COUNT = 3;

/** A piece of memory that is used again and again: new ones would cost more time than all the copying. */
interface Buffering {
  readonly memory: Buffer;
  /** Settles when what it held last was handed over, or never will be. */
  free: Promise<void>;
  release: () => void;
}

/**
 * Sends an open file as the body of an answer whose status and headers (with its length) are set, and closes it.
 *
 * Takes the same memory whatever the size. Ends when the client goes away. When the file cannot be read to its end,
 * the connection is cut, so that nobody takes what came for the whole.
 */
export async function sendFile(
  reply: FastifyReply,
  file: MlflowFile,
  onBroken: (error: unknown) => void,
): Promise<void> {
  reply.hijack();
  const response = reply.raw;
  try {
    response.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>);
    await copy(file, response, reply.request.raw.socket);
    response.end();
  } catch (error) {
    onBroken(error);
    response.destroy();
  } finally {
    await file.handle.close();
  }
}

async function copy(
  { handle, start, sizeBytes }: MlflowFile,
  response: ServerResponse,
  socket: ServerResponse["socket"] & object,
): Promise<void> {
  const buffers = Array.from(
    { length: Math.min(BUFFER_COUNT, Math.ceil(sizeBytes / BUFFER_BYTES)) },
    (): Buffering => ({
      memory: Buffer.allocUnsafeSlow(Math.min(BUFFER_BYTES, sizeBytes)),
      free: Promise.resolve(),
      release: () => undefined,
    }),
  );
  // Of an answer that waits for an earlier one on the same connection, nothing else would be heard.
  const releaseAll = (): void => buffers.forEach(({ release }) => release());
  socket.once("close", releaseAll);
  try {
    let sent = 0;
    for (let index = 0; sent < sizeBytes; index = (index + 1) % buffers.length) {
      const buffer = buffers[index] as Buffering;
      // oxlint-disable-next-line no-await-in-loop -- a part is sent after the one before it
      await buffer.free;
      // oxlint-disable-next-line no-await-in-loop -- as above
      const { bytesRead } = await handle.read(buffer.memory, 0, Math.min(BUFFER_BYTES, sizeBytes - sent), start + sent);
      if (socket.destroyed || response.destroyed) return;
      if (bytesRead === 0) throw new Error(`the file ended ${sizeBytes - sent} bytes early`);
      sent += bytesRead;
      buffer.free = new Promise((resolve) => {
        buffer.release = resolve;
        response.write(buffer.memory.subarray(0, bytesRead), () => resolve());
      });
    }
  } finally {
    socket.off("close", releaseAll);
  }
}
