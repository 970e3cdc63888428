import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { after } from "node:test";
import { promisify } from "node:util";
import { openS3Files, type Files, type S3Options } from "#storage";
import { testPython } from "./python-environment.ts";

/** Honours conditional writes; s3rver does not. */
const PACKAGES = ["moto[server]==5.2.5"];
/** Its check of a condition and its write are two steps: threads come between them, and two writers win. */
const ONE_REQUEST_AT_A_TIME = `
import sys, threading
import moto.server, werkzeug.serving
serve, one = werkzeug.serving.run_simple, threading.Lock()
def locked(application):
    def answer(environment, start_response):
        # The body is read before the lock: a slow sender holds up nobody.
        size = int(environment.get("CONTENT_LENGTH") or 0)
        if size:
            import io
            environment["wsgi.input"] = io.BytesIO(environment["wsgi.input"].read(size))
        with one:
            answer = application(environment, start_response)
            parts = [part for part in answer]
            if hasattr(answer, "close"):
                answer.close()
            return parts
    return answer
def run_simple(host, port, application, **options):
    return serve(host, port, locked(application), **options)
moto.server.run_simple = run_simple
sys.argv = ["moto_server", "-H", "127.0.0.1", "-p", "0"]
moto.server.main()
`;
const CREDENTIALS = { accessKeyId: "AKIATESTTESTTESTTEST", secretAccessKey: "secret-that-nobody-may-log" };

export interface TestS3Server {
  readonly endpoint: string;
  /** Runs a script with boto3, the S3 client of the vendor; `endpoint` is its first argument. */
  boto(script: string, ...parameters: readonly string[]): Promise<string>;
  makeBucket(): Promise<string>;
  /** Files below a prefix of a new bucket. */
  files(
    options?: Partial<S3Options> & { readonly partBytes?: number; readonly pageKeys?: number },
  ): Promise<Files & { readonly bucket: string }>;
}

/**
 * An S3-compatible server on this machine, ended after the current suite.
 *
 * @returns why there is none, where Python or its packages are missing
 */
export async function startS3Server(
  environment: Readonly<Record<string, string>> = {},
): Promise<TestS3Server | { readonly problem: string }> {
  const found = await testPython(PACKAGES);
  if ("problem" in found) return found;
  const child = spawn(found.python, ["-c", ONE_REQUEST_AT_A_TIME], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, PYTHONUNBUFFERED: "1", ...environment },
  });
  after(() => child.kill("SIGKILL"));
  const endpoint = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (piece: Buffer) => {
      said += said.length < 10_000 ? piece.toString() : "";
      const address = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1];
      if (address !== undefined) resolve(address);
    });
    child.once("exit", (code) => reject(new Error(`moto ended with ${code}: ${said}`)));
  });
  const boto = async (script: string, ...parameters: readonly string[]): Promise<string> => {
    const prelude = `import sys, boto3
from botocore.config import Config
endpoint, *args = sys.argv[1:]
def client(name, key=${JSON.stringify(CREDENTIALS.accessKeyId)}, secret=${JSON.stringify(CREDENTIALS.secretAccessKey)}):
    return boto3.client(name, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret, config=Config(s3={"addressing_style": "path"}))
s3 = client("s3")
`;
    return (await promisify(execFile)(found.python, ["-c", prelude + script, endpoint, ...parameters])).stdout.trim();
  };
  const makeBucket = async (): Promise<string> => {
    const bucket = `b-${randomUUID()}`;
    const made = await fetch(`${endpoint}/${bucket}`, {
      method: "PUT",
      headers: { authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request" },
    });
    if (!made.ok) throw new Error(`the bucket was not made: ${await made.text()}`);
    return bucket;
  };
  return {
    endpoint,
    boto,
    makeBucket,
    async files(options = {}) {
      const bucket = options.bucket ?? (await makeBucket());
      const files = await openS3Files({
        bucket,
        prefix: "some/prefix",
        endpoint,
        region: "us-east-1",
        addressing: "path",
        credentials: () => CREDENTIALS,
        ...options,
      });
      return { ...files, bucket };
    },
  };
}
