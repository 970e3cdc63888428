import assert from "node:assert/strict";
import { createServer, type IncomingMessage, request as send, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, describe, it } from "node:test";
import { isEsteiraError } from "#base";
import { type TestS3Server, startS3Server } from "../setup/s3-server.ts";

/** What happens to a request on its way: true when it was answered, or must never be. */
type Fault = (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean | "lose the answer" | "cut";

/** A line to a server on which things go wrong: each fault happens to one request, in order. */
async function openLine(
  target: string,
): Promise<{ readonly endpoint: string; readonly faults: Fault[]; requests: string[] }> {
  const faults: Fault[] = [];
  const requests: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
      requests.push(`${request.method} ${request.url}`);
      const outcome = faults.shift()?.(request, response, body) ?? false;
      if (outcome === true) return;
      const { headers } = request;
      const forwarded = send(target + (request.url ?? ""), { method: request.method, headers });
      forwarded.end(body);
      const [answer] = (await once(forwarded, "response")) as [IncomingMessage];
      const content = Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>));
      if (outcome === "lose the answer") {
        response.destroy();
        return;
      }
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      if (outcome === "cut") {
        response.write(content.subarray(0, content.length / 2), () => response.destroy());
        return;
      }
      response.end(content);
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, faults, requests };
}

const answering =
  (status: number, code: string, more = "", headers = {}): Fault =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/xml", ...headers });
    response.end(`<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>as told</Message>${more}</Error>`);
    return true;
  };
const silent: Fault = () => true;
const FAST = { retryDelayMs: 5, timeoutMs: 400 };

describe("a line to S3 on which things go wrong", async () => {
  const s3 = await startS3Server();
  if ("problem" in s3) {
    it("needs moto", { skip: s3.problem }, () => undefined);
    return;
  }
  const openOn = async (
    server: TestS3Server,
  ): Promise<{ files: Awaited<ReturnType<TestS3Server["files"]>>; line: Awaited<ReturnType<typeof openLine>> }> => {
    const line = await openLine(server.endpoint);
    return { line, files: await server.files({ ...FAST, endpoint: line.endpoint }) };
  };

  it("is tried again after 500, 503, a silence and a broken connection", async () => {
    const { files, line } = await openOn(s3);
    line.faults.push(answering(500, "InternalError"), answering(503, "SlowDown"), silent, (request) => {
      request.socket.destroy();
      return true;
    });
    await files.put("a", "content");
    assert.equal(line.requests.length, 5);
    line.faults.push(answering(503, "SlowDown"), answering(500, "InternalError"));
    assert.equal((await files.get("a"))?.bytes.toString(), "content");
    line.faults.push(answering(503, "SlowDown"));
    assert.equal((await Array.fromAsync(files.list())).length, 1);
  });

  it("gives up after six attempts, and says what was said", async () => {
    const { files, line } = await openOn(s3);
    line.faults.push(...Array.from({ length: 10 }, () => answering(503, "SlowDown")));
    await assert.rejects(() => files.get("a"), { code: "STORAGE_FAILED", message: /SlowDown: as told/ });
    assert.equal(line.requests.length, 6);
  });

  it("knows its own write when the answer to it was lost", async () => {
    const { files, line } = await openOn(s3);
    line.faults.push(() => "lose the answer");
    assert.ok(await files.put("log/0", "mine", "absent"));
    assert.equal((await files.get("log/0"))?.bytes.toString(), "mine");
    line.faults.push(() => "lose the answer");
    assert.equal(await files.put("log/0", "mine", "absent"), undefined);
    const { etag } = (await files.stat("log/0")) ?? { etag: "" };
    line.faults.push(() => "lose the answer");
    assert.ok(await files.put("log/0", "mine again", { etag }));
  });

  it("reads on where a body broke off", async () => {
    const { files, line } = await openOn(s3);
    const content = Buffer.alloc(3 << 20, "0123456789");
    await files.put("large", content);
    const opened = await files.open("large");
    line.faults.push(
      () => "cut",
      () => "cut",
    );
    assert.ok(Buffer.concat(await Array.fromAsync(opened.read())).equals(content));
    assert.ok(line.requests.length >= 5, line.requests.join(", "));
    line.faults.push(() => "cut");
    assert.ok((await files.get("large"))?.bytes.equals(content));
  });

  it("gives nobody a mixture of two contents", async () => {
    const { files, line } = await openOn(s3);
    await files.put("large", Buffer.alloc(3 << 20, "a"));
    const opened = await files.open("large");
    line.faults.push(() => "cut");
    const reading = opened.read()[Symbol.asyncIterator]();
    await reading.next();
    await s3.boto("s3.put_object(Bucket=args[0], Key='some/prefix/large', Body=b'b' * 3_000_000)", files.bucket);
    await assert.rejects(
      async () => {
        while ((await reading.next()).done !== true);
      },
      { code: "STORAGE_FAILED", message: /replaced while it was read/ },
    );
  });

  it("leaves no part of an upload that failed", async () => {
    const { files, line } = await openOn(s3);
    line.faults.push(() => false, ...Array.from({ length: 6 }, () => answering(500, "InternalError")));
    await assert.rejects(() => files.put("large", Buffer.alloc(20 << 20)), { code: "STORAGE_FAILED" });
    const uploads = await s3.boto(
      "print(len(s3.list_multipart_uploads(Bucket=args[0]).get('Uploads', [])))",
      files.bucket,
    );
    assert.equal(uploads, "0");
  });

  it("names the region, the clock, the bucket and the rights that are wrong", async () => {
    const { files, line } = await openOn(s3);
    line.faults.push(answering(301, "PermanentRedirect", "", { "x-amz-bucket-region": "sa-east-1" }));
    await assert.rejects(() => files.get("a"), {
      code: "STORAGE_REGION_WRONG",
      message: /us-east-1, but in sa-east-1/,
    });
    line.faults.push(answering(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"));
    await assert.rejects(() => files.get("a"), { code: "STORAGE_REGION_WRONG", message: /but in eu-west-1/ });
    line.faults.push(answering(403, "RequestTimeTooSkewed", "<ServerTime>2026-01-02T03:04:05Z</ServerTime>"));
    await assert.rejects(() => files.get("a"), { code: "STORAGE_CLOCK_SKEWED", message: /2026-01-02T03:04:05Z/ });
    line.faults.push(answering(403, "AccessDenied"));
    await assert.rejects(() => files.put("a", ""), {
      code: "STORAGE_ACCESS_DENIED",
      message: /write s3:.*AccessDenied/,
    });
    const nowhere = await s3.files({ ...FAST, bucket: "no-such-bucket" });
    for (const ask of [
      () => nowhere.get("a"),
      () => nowhere.stat("a"),
      () => nowhere.put("a", ""),
      () => nowhere.put("a", Buffer.alloc(20 << 20)),
      () => Array.fromAsync(nowhere.list()),
    ])
      await assert.rejects(ask, { code: "STORAGE_BUCKET_MISSING", message: /no-such-bucket/ });
    const closed = await s3.files({ ...FAST, attempts: 2, bucket: "b", endpoint: "http://127.0.0.1:9" });
    await assert.rejects(() => closed.get("a"), {
      code: "STORAGE_FAILED",
      message: /127\.0\.0\.1:9 cannot be reached/,
    });
  });

  it("reads what another client wrote, and that one reads what it wrote", async () => {
    const files = await s3.files();
    const names = ["a b/c+d & é (1).txt", "日本/🚂=1.json"];
    for (const name of names) await files.put(name, name);
    const said = await s3.boto(
      "import json\nfor k in args[1:]: s3.copy_object(Bucket=args[0], CopySource={'Bucket': args[0], 'Key': 'some/prefix/' + k}, Key='some/prefix/copy/' + k)\nprint(json.dumps([s3.get_object(Bucket=args[0], Key='some/prefix/' + k)['Body'].read().decode() for k in args[1:]]))",
      files.bucket,
      ...names,
    );
    assert.deepEqual(JSON.parse(said), names);
    for (const name of names) assert.equal((await files.get(`copy/${name}`))?.bytes.toString(), name);
  });
});

describe("S3 that checks signatures", async () => {
  // The first requests, which make a user and its key, are let through unsigned.
  const s3 = await startS3Server({ INITIAL_NO_AUTH_ACTION_COUNT: "4" });
  if ("problem" in s3) {
    it("needs moto", { skip: s3.problem }, () => undefined);
    return;
  }
  const made = JSON.parse(
    await s3.boto(`import json
iam = client("iam"); iam.create_user(UserName="esteira")
iam.put_user_policy(UserName="esteira", PolicyName="own", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads"], "Resource": "*"}]}))
key = iam.create_access_key(UserName="esteira")["AccessKey"]; s3.create_bucket(Bucket="signed")
print(json.dumps({"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}))`),
  ) as { accessKeyId: string; secretAccessKey: string };

  it("takes every request of the right keys, whatever letters the names have", async () => {
    const files = await s3.files({ bucket: "signed", credentials: () => made });
    for (const name of ["a", "a b/c+d & é 'q' (1)*!.txt", "日本/🚂.json", "x/%2e/100%.txt", "y;z=1?#@$,~.txt"]) {
      await files.put(name, name);
      assert.equal((await files.get(name))?.bytes.toString(), name);
      assert.ok(await files.stat(name));
      assert.equal((await Array.fromAsync((await files.open(name)).read({ start: 0, end: 0 }))).length, 1);
    }
    assert.ok(await files.put("large b", Buffer.alloc(17 << 20), "absent"));
    assert.equal((await Array.fromAsync(files.list())).length, 6);
    await files.remove("a b");
    assert.equal(await files.removeUnfinished(Date.now()), 0);
  });

  it("refuses wrong keys with an error that holds none of them", async () => {
    for (const credentials of [
      { ...made, secretAccessKey: "wrong-secret-of-nobody" },
      { accessKeyId: "AKIANOBODYSKEY", secretAccessKey: "wrong-secret-of-nobody" },
    ]) {
      const files = await s3.files({ bucket: "signed", credentials: () => credentials });
      await assert.rejects(
        () => files.get("a"),
        (error: unknown) => {
          assert.ok(isEsteiraError(error, "STORAGE_ACCESS_DENIED"), String(error));
          assert.doesNotMatch(JSON.stringify([error.message, error.context, String(error.stack)]), /wrong-secret/);
          return true;
        },
      );
    }
  });
});
