import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile, readlink, truncate } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openMlflowServer } from "../../setup/mlflow-server.ts";

// Files do not depend on the database.
const server = await openMlflowServer("sqlite", { listen: true });
const { text: runId } = await startRun();
const base = `${server.url}/api/2.0/mlflow-artifacts/artifacts/0/${runId}/artifacts`;
const folder = join(server.artifactFolder, "0", runId, "artifacts");

async function startRun(): Promise<{ text: string }> {
  const response = await fetch(`${server.url}/api/2.0/mlflow/runs/create`, {
    method: "POST",
    body: JSON.stringify({ experiment_id: "0" }),
    headers: { "content-type": "application/json" },
  });
  return { text: ((await response.json()) as { run: { info: { run_id: string } } }).run.info.run_id };
}

const incoming = async (): Promise<readonly string[]> =>
  readdir(join(server.artifactFolder, ".incoming")).catch(() => []);
const uncounted = process.platform === "linux" ? false : "open files are counted in /proc";

/** How often this process, which is the server too, holds a file open. */
async function openCount(file: string): Promise<number> {
  const targets = await Promise.all(
    (await readdir("/proc/self/fd").catch(() => [])).map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")),
  );
  return targets.filter((target) => target === file).length;
}

async function closed(file: string): Promise<void> {
  while ((await openCount(file)) > 0) await new Promise(setImmediate);
}

/** The answer to a GET, of which nothing has been read. */
const start = (url: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => request(url, { agent: false }, resolve).on("error", reject).end());
const post = (path: string, body: object): Promise<Response> =>
  fetch(`${server.url}/api/2.0/${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });

describe("uploads", () => {
  it("appear whole under MLflow's layout, whatever their name", async () => {
    for (const name of ["plain.txt", "with blank é 漢.bin", "100%.txt", "a+b&c=d.txt", "deep/er/file"]) {
      const content = randomBytes(100_000);
      const url = `${base}/${name.split("/").map(encodeURIComponent).join("/")}`;
      assert.equal((await fetch(url, { method: "PUT", body: content })).status, 200);
      assert.deepEqual(await readFile(join(folder, name)), content);
      assert.deepEqual(Buffer.from(await (await fetch(url)).arrayBuffer()), content);
    }
    assert.deepEqual(await incoming(), []);
  });

  it("replace a file at once, and never a folder", async () => {
    await fetch(`${base}/twice.txt`, { method: "PUT", body: "first" });
    await fetch(`${base}/twice.txt`, { method: "PUT", body: "second" });
    assert.equal(await readFile(join(folder, "twice.txt"), "utf8"), "second");
    const refused = await fetch(`${base}/deep`, { method: "PUT", body: "x" });
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /INVALID_PARAMETER_VALUE.*there is a folder of that name/);
    assert.equal((await fetch(`${base}/twice.txt/below`, { method: "PUT", body: "x" })).status, 400);
    assert.deepEqual(await incoming(), []);
  });

  it("that break off leave nothing", async () => {
    await new Promise<void>((resolve) => {
      const put = request(`${base}/broken.bin`, { method: "PUT", headers: { "content-length": 1_000_000 } });
      put.on("error", () => resolve());
      put.write(Buffer.alloc(500_000), () => put.destroy(new Error("the network fails")));
    });
    while ((await incoming()).length > 0) await new Promise(setImmediate);
    assert.equal((await fetch(`${base}/broken.bin`)).status, 404);
  });

  it("of one name by many clients at once end with one of them, whole", async () => {
    const contents = Array.from({ length: 16 }, (_, index) => Buffer.alloc(200_000, index));
    await Promise.all(contents.map((body) => fetch(`${base}/contested.bin`, { method: "PUT", body })));
    const kept = await readFile(join(folder, "contested.bin"));
    assert.ok(contents.some((content) => content.equals(kept)));
  });

  it("through the page's form are limited to 10 MB", async () => {
    const send = (size: number): Promise<Response> =>
      fetch(`${server.url}/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${runId}&path=form.bin`, {
        method: "POST",
        body: Buffer.alloc(size),
      });
    assert.equal((await send(10 * 2 ** 20)).status, 200);
    assert.equal((await send(10 * 2 ** 20 + 1)).status, 400);
    assert.equal((await readFile(join(folder, "form.bin"))).length, 10 * 2 ** 20);
  });
});

describe("downloads", () => {
  const content = randomBytes(10_000);

  it("give the range that is asked for, as RFC 9110 says", async () => {
    await fetch(`${base}/range.bin`, { method: "PUT", body: content });
    const cases: [string, number, Buffer | undefined, string | null][] = [
      ["bytes=0-99", 206, content.subarray(0, 100), "bytes 0-99/10000"],
      ["bytes=9990-", 206, content.subarray(9990), "bytes 9990-9999/10000"],
      ["bytes=-10", 206, content.subarray(-10), "bytes 9990-9999/10000"],
      ["bytes=9000-20000", 206, content.subarray(9000), "bytes 9000-9999/10000"],
      ["bytes=10000-", 416, undefined, "bytes */10000"],
      ["bytes=5-2", 200, content, null],
      ["lines=1-2", 200, content, null],
    ];
    for (const [range, status, expected, contentRange] of cases) {
      const response = await fetch(`${base}/range.bin`, { headers: { range } });
      assert.equal(response.status, status, range);
      assert.equal(response.headers.get("content-range"), contentRange, range);
      const body = Buffer.from(await response.arrayBuffer());
      if (expected !== undefined) assert.deepEqual(body, expected, range);
    }
  });

  it("give a range only of the content that the client knows", async () => {
    const url = `${base}/known.bin`;
    await fetch(url, { method: "PUT", body: content });
    const etag = (await fetch(url, { method: "HEAD" })).headers.get("etag") ?? "";
    assert.match(etag, /^"[\w-]+"$/);
    const resume = async (): Promise<[number, number]> => {
      const response = await fetch(url, { headers: { range: "bytes=100-", "if-range": etag } });
      return [response.status, (await response.arrayBuffer()).byteLength];
    };
    assert.deepEqual(await resume(), [206, 9900]);
    await fetch(url, { method: "PUT", body: content });
    assert.deepEqual(await resume(), [200, 10_000]);
  });

  it("give no range to HEAD", async () => {
    const head = await fetch(`${base}/range.bin`, { method: "HEAD", headers: { range: "bytes=0-99" } });
    assert.deepEqual(
      [head.status, head.headers.get("content-length"), head.headers.get("content-range")],
      [200, "10000", null],
    );
  });

  it("are whole, whatever the size", async () => {
    for (const size of [0, 1, 512 * 1024, 512 * 1024 + 1, 3 * 512 * 1024, 5_000_000]) {
      const bytes = randomBytes(size);
      await fetch(`${base}/sized.bin`, { method: "PUT", body: bytes });
      const response = await fetch(`${base}/sized.bin`);
      assert.equal(response.headers.get("content-length"), String(size));
      assert.ok(bytes.equals(Buffer.from(await response.arrayBuffer())), `${size} bytes`);
    }
    const bytes = await readFile(join(folder, "sized.bin"));
    const part = await fetch(`${base}/sized.bin`, { headers: { range: "bytes=700000-3900000" } });
    assert.ok(bytes.subarray(700_000, 3_900_001).equals(Buffer.from(await part.arrayBuffer())));
    await closed(join(folder, "sized.bin"));
  });

  it("do not mix when many clients read at different speeds", async () => {
    const files = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const bytes = Buffer.alloc(4_000_000, index + 1);
        await fetch(`${base}/mixed-${index}.bin`, { method: "PUT", body: bytes });
        return bytes;
      }),
    );
    await Promise.all(
      files.map(async (bytes, index) => {
        const chunks: Buffer[] = [];
        for await (const chunk of await start(`${base}/mixed-${index}.bin`)) {
          chunks.push(chunk as Buffer);
          if (index % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        }
        assert.ok(bytes.equals(Buffer.concat(chunks)), `file ${index}`);
      }),
    );
  });

  describe("of a large file", () => {
    const size = 64 * 2 ** 20;
    const large = join(folder, "large.bin");
    const put = (): Promise<Response> =>
      fetch(`${base}/large.bin`, { method: "PUT", body: Buffer.alloc(size, "esteira ") });

    it("hold little of it while the client does not read", async () => {
      await put();
      const before = process.memoryUsage.rss();
      const responses = await Promise.all(Array.from({ length: 8 }, () => start(`${base}/large.bin`)));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const grown = process.memoryUsage.rss() - before;
      assert.ok(grown < size, `${grown} bytes for eight downloads of ${size}`);
      for (const response of responses) response.destroy();
      await closed(large);
    });

    it("close it when the client goes away", { skip: uncounted }, async () => {
      await put();
      const response = await start(`${base}/large.bin`);
      assert.equal(await openCount(large), 1);
      response.destroy();
      await closed(large);
    });

    it(
      "close it also when the answer still waits for an earlier one on the connection",
      { skip: uncounted },
      async () => {
        await put();
        const { hostname, port, pathname } = new URL(`${base}/large.bin`);
        const socket = connect(Number(port), hostname);
        const get = `GET ${pathname} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`;
        socket.write(get + get);
        while ((await openCount(large)) < 2) await new Promise(setImmediate);
        socket.destroy();
        await closed(large);
      },
    );

    it("break off, and do not end, when it gets shorter meanwhile", async () => {
      await put();
      const response = await start(`${base}/large.bin`);
      await truncate(large, 1);
      await assert.rejects(async () => {
        for await (const _ of response);
      }, /aborted/);
      await closed(large);
      assert.equal((await fetch(`${base}/range.bin`)).status, 200);
    });

    it("are not sent to HEAD, nor for a range that it has not, and leave it closed", async () => {
      await put();
      assert.equal((await fetch(`${base}/large.bin`, { method: "HEAD" })).headers.get("content-length"), String(size));
      assert.equal((await fetch(`${base}/large.bin`, { headers: { range: `bytes=${size}-` } })).status, 416);
      await closed(large);
    });
  });

  it("tell the size to HEAD, and 404 for a folder or what is not there", async () => {
    const head = await fetch(`${base}/range.bin`, { method: "HEAD" });
    assert.deepEqual([head.status, head.headers.get("content-length")], [200, "10000"]);
    assert.equal((await fetch(`${base}/deep`)).status, 404);
    assert.equal((await fetch(`${base}/nothing`)).status, 404);
  });
});

describe("multipart uploads", () => {
  interface Created {
    readonly upload_id: string;
    readonly credentials: readonly {
      readonly url: string;
      readonly part_number: number;
      readonly headers: Record<string, string>;
    }[];
  }
  const create = async (parts: number, path: string): Promise<Created> =>
    (await (
      await post(`mlflow-artifacts/mpu/create/0/${runId}/artifacts/mp`, { path, num_parts: parts })
    ).json()) as Created;

  it("take parts in any order and join them", async () => {
    const parts = [randomBytes(300_000), randomBytes(300_000), randomBytes(7)];
    const { upload_id: uploadId, credentials } = await create(3, "/home/user/file.bin");
    const done = await Promise.all(
      credentials.toReversed().map(async ({ url, part_number: number, headers }) => {
        const response = await fetch(url, { method: "PUT", body: parts[number - 1] ?? "", headers });
        return { part_number: number, etag: response.headers.get("etag"), url };
      }),
    );
    assert.deepEqual((await readdir(folder)).includes("mp"), false, "not visible before it is complete");
    const completed = await post(`mlflow-artifacts/mpu/complete/0/${runId}/artifacts/mp`, {
      path: "/home/user/file.bin",
      upload_id: uploadId,
      parts: done,
    });
    assert.equal(completed.status, 200);
    assert.deepEqual(await readFile(join(folder, "mp/file.bin")), Buffer.concat(parts));
    assert.deepEqual(await incoming(), []);
    assert.equal(
      (
        await post(`mlflow-artifacts/mpu/complete/0/${runId}/artifacts/mp`, {
          path: "file.bin",
          upload_id: uploadId,
          parts: done,
        })
      ).status,
      404,
    );
  });

  it("are not completed when a part is missing, differs, or the path is another", async () => {
    const { upload_id: uploadId, credentials } = await create(2, "half.bin");
    await fetch(credentials[0]?.url ?? "", { method: "PUT", body: "x" });
    const complete = async (place: string, parts: object[]): Promise<string> =>
      (
        await post(`mlflow-artifacts/mpu/complete/0/${runId}/artifacts/${place}`, {
          path: "half.bin",
          upload_id: uploadId,
          parts,
        })
      ).text();
    assert.match(await complete("mp", [{ part_number: 1 }, { part_number: 2 }]), /part 2 of 2 was not sent/);
    await fetch(credentials[1]?.url ?? "", { method: "PUT", body: "y" });
    assert.match(await complete("mp", [{ part_number: 1, etag: "wrong" }, { part_number: 2 }]), /part 1 has ETag/);
    assert.match(await complete("elsewhere", [{ part_number: 1 }, { part_number: 2 }]), /RESOURCE_DOES_NOT_EXIST/);
    await post(`mlflow-artifacts/mpu/abort/0/${runId}/artifacts/mp`, { path: "half.bin", upload_id: uploadId });
    assert.deepEqual(await incoming(), []);
    assert.equal((await fetch(credentials[0]?.url ?? "", { method: "PUT", body: "x" })).status, 404);
  });

  it("hand the caller's own credentials to its parts, and refuse unknown uploads and parts", async () => {
    const response = await fetch(`${server.url}/api/2.0/mlflow-artifacts/mpu/create/0/${runId}/artifacts`, {
      method: "POST",
      body: JSON.stringify({ path: "x", num_parts: 1 }),
      headers: { "content-type": "application/json", authorization: "Bearer token" },
    });
    const { credentials, upload_id: uploadId } = (await response.json()) as Created;
    assert.equal(credentials[0]?.headers["Authorization"], "Bearer token");
    const part = (id: string, number: number): Promise<Response> =>
      fetch(`${server.url}/api/2.0/mlflow-artifacts/mpu/part/${id}/${number}`, { method: "PUT", body: "x" });
    assert.equal((await part(uploadId, 2)).status, 400);
    assert.equal((await part("00000000-0000-0000-0000-000000000000", 1)).status, 404);
    assert.equal((await part("..%2f..%2fx", 1)).status, 404);
    assert.equal(
      (await post(`mlflow-artifacts/mpu/create/0/${runId}/artifacts`, { path: "x", num_parts: 0 })).status,
      400,
    );
  });
});
