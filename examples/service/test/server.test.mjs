import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { createGreeter } from "../src/server.mjs";

test("answers over HTTP", async () => {
  const server = createGreeter("test").listen(0, "127.0.0.1");
  await once(server, "listening");
  const answer = await (await fetch(`http://127.0.0.1:${server.address().port}/?name=Ana&language=pt-BR`)).json();
  server.close();
  assert.deepEqual(answer, { message: "Olá, Ana!", environment: "test" });
});
