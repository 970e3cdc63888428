// A server of somebody's choice that speaks OpenAI's API: says what it was asked, and with which headers.
import { createServer } from "node:http";

let left = 0;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

createServer(async (request, response) => {
  if (request.url === "/healthz") return response.end("ok");
  let text = "";
  for await (const piece of request) text += piece;
  const asked = JSON.parse(text);
  const answer = (body, status = 200) =>
    response
      .writeHead(status, { "content-type": "application/json", "set-cookie": "own=1", server: "secret/1" })
      .end(JSON.stringify(body));
  const usage = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 };
  if (request.url === "/v1/embeddings")
    return answer({
      object: "list",
      model: asked.model,
      data: [asked.input]
        .flat()
        .map((input, index) => ({ object: "embedding", index, embedding: [input.length, 0.5] })),
      usage: { prompt_tokens: 2, total_tokens: 2 },
    });
  if (request.url === "/v1/completions")
    return answer({
      id: "c",
      object: "text_completion",
      created: 1,
      model: asked.model,
      choices: [{ index: 0, text: `${asked.prompt}!`, finish_reason: "stop", logprobs: null }],
      usage,
    });
  const said = asked.messages.at(-1).content;
  if (said === "fail")
    return answer({ error: { message: "too hot", type: "invalid_request_error", code: "hot" } }, 400);
  if (said === "elsewhere") return response.writeHead(302, { location: "http://169.254.169.254/" }).end();
  if (asked.stream !== true) {
    const content = JSON.stringify({ headers: request.headers, asked, raw: text, left });
    const message = { role: "assistant", content };
    return answer({
      id: "x",
      object: "chat.completion",
      created: 1,
      model: asked.model,
      choices: [{ index: 0, message, finish_reason: "stop" }],
      usage,
    });
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.once("close", () => {
    if (!response.writableFinished) left++;
  });
  const count = said === "long" ? 500 : 4;
  for (let part = 0; part < count && !response.destroyed; part++) {
    if (said === "break" && part === 2) process.exit(3);
    const choices = [{ index: 0, delta: { content: `${part} ☀` }, finish_reason: null }];
    response.write(
      `data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: asked.model, choices })}\n\n`,
    );
    await pause(said === "slow" ? 300 : 20);
  }
  response.write(
    `data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: asked.model, choices: [], usage })}\n\n`,
  );
  response.end("data: [DONE]\n\n");
}).listen(Number(process.env.PORT), process.env.HOST);
