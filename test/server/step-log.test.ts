// The log of a step by HTTP while it runs: pages from any place, and a stream that is taken up where it broke off.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { expectedLog, LOG_WRITER } from "../setup/long-log.ts";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

interface Piece {
  readonly sequence: number;
  readonly text: string;
}

/** Events of a stream, up to so many characters of text; `undefined` as the last when the server has ended it. */
async function readStream(url: string, after: number, most: number): Promise<readonly (Piece | undefined)[]> {
  const controller = new AbortController();
  const response = await fetch(url, {
    headers: after === 0 ? {} : { "last-event-id": String(after) },
    signal: controller.signal,
  });
  assert.equal(response.status, 200);
  const found: (Piece | undefined)[] = [];
  let rest = "";
  let size = 0;
  for await (const bytes of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const events = `${rest}${bytes}`.split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const field = (name: string): string =>
        event
          .split("\n")
          .find((line) => line.startsWith(`${name}:`))
          ?.slice(name.length + 1)
          .trim() ?? "";
      if (field("event") === "end") return [...found, undefined];
      if (field("data") === "") continue;
      const { text }: { readonly text: string } = JSON.parse(field("data"));
      found.push({ sequence: Number(field("id")), text });
      size += text.length;
      if (size >= most) {
        controller.abort();
        return found;
      }
    }
  }
  return found;
}

it("a log is followed by HTTP while it is sealed, and taken up from every place", { timeout: 120_000 }, async () => {
  const folder = await temporaryFolder();
  const files = {
    "esteira.yaml": "name: ships\n",
    "pipelines/p.yaml": 'steps:\n  loud: { run: "node writer.cjs 15; sleep 1; echo end", files: [writer.cjs] }\n',
    "writer.cjs": LOG_WRITER,
  };
  await mkdir(join(folder, "pipelines"));
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
  const server = await startServer(folder);
  try {
    const api = `${server.url}/api/v1`;
    const json = async (path: string, options?: RequestInit): Promise<never> => {
      const response = await fetch(path, options);
      const text = await response.text();
      assert.ok(response.ok, text);
      return JSON.parse(text) as never;
    };
    const { id }: { readonly id: string } = await json(`${api}/pipelines/p/runs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    const run: { readonly stepRuns: readonly { readonly id: string }[] } = await json(`${api}/pipeline-runs/${id}`);
    const log = `${api}/step-runs/${run.stepRuns[0]?.id ?? ""}/log`;
    const pieces: Piece[] = [];
    for (let isOver = false; !isOver;) {
      const got = await readStream(`${log}/stream`, pieces.at(-1)?.sequence ?? 0, 2_500_000);
      for (const piece of got) if (piece !== undefined) pieces.push(piece);
      isOver = got.at(-1) === undefined;
    }
    const text = pieces.map((piece) => piece.text).join("");
    assert.ok(text.endsWith("end\n"));
    const bytes = Buffer.from(text.slice(0, -"end\n".length));
    assert.deepEqual(
      { bytes: bytes.length, digest: createHash("sha256").update(bytes).digest("hex") },
      expectedLog(15),
    );
    const place = Math.floor(pieces.length / 2);
    const page: { readonly items: readonly { readonly text: string }[]; readonly lastSequence: number } = await json(
      `${log}?after=${pieces[place - 1]?.sequence}&limit=3`,
    );
    assert.deepEqual(
      page.items.map((item) => item.text),
      pieces.slice(place, place + 3).map((piece) => piece.text),
    );
    assert.equal(page.lastSequence, pieces[place + 2]?.sequence);
  } finally {
    await server.stop();
  }
});
