import { createServer, type IncomingMessage } from "node:http";
import { after } from "node:test";

export interface ReceivedRequest {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A target for webhooks; answers with what `answer` says. */
export async function openWebhookTarget(answer: (received: readonly ReceivedRequest[]) => number = () => 200): Promise<{
  readonly url: string;
  readonly received: readonly ReceivedRequest[];
  waitFor(count: number): Promise<void>;
}> {
  const received: ReceivedRequest[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece: Buffer) => {
      body += piece.toString();
    });
    request.on("end", () => {
      received.push({ headers: request.headers, body });
      response.statusCode = answer(received);
      response.end("noted");
      for (const { count, resolve } of waiting) if (received.length >= count) resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close());
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/hook`,
    received,
    waitFor: (count) =>
      received.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
  };
}
