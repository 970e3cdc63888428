import assert from "node:assert/strict";
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { isPublicAddress } from "#outbox";
import { openMlflowServer, type TestMlflowServer } from "../../setup/mlflow-server.ts";
import { storeKinds } from "../../setup/stores.ts";

const SECRET = "the operator's secret";

/** Ways out of a folder, as they were published against MLflow's server, percent-encoded as they stand in a path. */
const ESCAPES = [
  "../secret.txt", // mlflow#7166
  "..%2fsecret.txt", // CVE-2023-6909
  "%2e%2e/secret.txt",
  "%2e%2e%2fsecret.txt",
  "%252e%252e%252fsecret.txt", // CVE-2023-6831, CVE-2024-1560: decoded twice
  "%25252e%25252e%25252fsecret.txt",
  "a/../../secret.txt",
  "a/%2e%2e/%2e%2e/secret.txt",
  "..%5csecret.txt", // CVE-2023-2780: backslashes
  "a%5c..%5c..%5csecret.txt",
  "%2fetc%2fpasswd",
  "%252fetc%252fpasswd",
  "C:%5csecret.txt",
  "C:/secret.txt",
  "file:%2f%2f%2fetc%2fpasswd", // CVE-2023-1177
  "local:%2fetc%2fpasswd",
  "%23/../secret.txt", // CVE-2024-1483, CVE-2024-3848: fragments
  "a%23%2f..%2f..%2fsecret.txt",
  "..;/secret.txt",
  "secret.txt%00.png",
  "./secret.txt",
  ".incoming/x",
];

/** Locations and sources that would make a server read its own files if it followed them. */
const LOCATIONS = [
  "file:///etc", // CVE-2023-1177
  "/etc",
  "//etc",
  "\\\\etc",
  "file:/etc",
  "file://localhost/etc",
  "FILE:///etc",
  "local:/etc",
  "http:///?/../../../../../etc", // CVE-2023-6909
  "http:///#/../../../../../etc/", // CVE-2024-1483
  "http:///;/../../../../etc", // mlflow#11473
  "mlflow-artifacts:/../../etc",
  "mlflow-artifacts:/%2e%2e/%2e%2e/etc",
  "mlflow-artifacts:/%252e%252e/etc",
  "mlflow-artifacts://host/../etc",
  "mlflow-artifacts:/a?b=/../../etc",
  "mlflow-artifacts:etc",
  "ftp://host/etc",
  "s3://bucket/../etc",
];

// All are opened before the first test is declared: the runner ends when it knows of no more.
const servers = await Promise.all(
  storeKinds.map(async (kind) => ({ kind, server: await openMlflowServer(kind, { listen: true }) })),
);
for (const { kind, server } of servers)
  describe(`nothing outside the artifact root is read, written or removed (${kind})`, () => testFolder(server));

function testFolder(server: TestMlflowServer): void {
  let runId: string;
  let outside: readonly string[];
  let passwords: string;
  let base: string;

  async function call(method: string, path: string, body?: object): Promise<{ status: number; text: string }> {
    const response = await server.server.inject({
      method: method as "POST",
      url: path,
      ...(body === undefined ? {} : { payload: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    return { status: response.statusCode, text: response.body };
  }

  /** Sends a path as it is: HTTP clients would tidy it first. */
  function raw(method: string, path: string, body = ""): Promise<{ status: number; text: string }> {
    const { hostname, port } = new URL(server.url);
    return new Promise((resolve, reject) => {
      let text = "";
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          `${method} ${path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        ),
      );
      socket.setEncoding("utf8");
      socket.on("data", (piece: string) => {
        text += piece;
      });
      socket.on("close", () => resolve({ status: Number(text.split(" ")[1]), text }));
      socket.on("error", reject);
    });
  }

  const startRun = async (experimentId: string): Promise<string> => {
    const { text } = await call("POST", "/api/2.0/mlflow/runs/create", { experiment_id: experimentId, start_time: 1 });
    return (JSON.parse(text) as { run: { info: { run_id: string } } }).run.info.run_id;
  };

  const assertRefused = ({ status, text }: { status: number; text: string }, what: string): void => {
    assert.ok([400, 403, 404].includes(status), `${what}: ${status} ${text.slice(0, 200)}`);
    assertHarmless({ text }, what);
  };

  /** What an attacker uploaded may come back, nothing else. */
  function assertHarmless({ text }: { text: string }, what: string): void {
    assert.ok(!text.includes(SECRET) && !text.includes("root:"), what);
  }

  before(async () => {
    await writeFile(join(server.folder, "secret.txt"), SECRET);
    runId = await startRun("0");
    base = `/api/2.0/mlflow-artifacts/artifacts/0/${runId}/artifacts`;
    assert.equal((await raw("PUT", `${base}/a/kept.txt`, "kept")).status, 200);
    outside = await readdir(server.folder);
    passwords = await readFile("/etc/passwd", "utf8");
    await call("POST", "/api/2.0/mlflow/registered-models/create", { name: "m" });
    await call("POST", "/api/2.0/mlflow/model-versions/create", {
      name: "m",
      source: `mlflow-artifacts:/0/${runId}/artifacts`,
      run_id: runId,
    });
  });

  for (const escape of ESCAPES) {
    it(`refuses the path ${escape} everywhere`, async () => {
      const decoded = decodeURIComponent(escape);
      const inQuery = encodeURIComponent(decoded);
      for (const prefix of ["/api/2.0", "/api/3.0", "/ajax-api/2.0", "/ajax-api/3.0"]) {
        assertRefused(await raw("GET", `${prefix}/mlflow-artifacts/artifacts/${escape}`), `${prefix} GET`);
      }
      assertRefused(await raw("GET", `${base}/${escape}`), "GET below the run");
      // A path may be taken for an odd name below the run; whatever happens, it happens inside the root.
      for (const folder of [base, "/api/2.0/mlflow-artifacts/artifacts"]) {
        assert.ok([200, 400].includes((await raw("PUT", `${folder}/${escape}`, "attack")).status), `PUT ${escape}`);
        assert.ok([200, 400].includes((await raw("DELETE", `${folder}/${escape}`)).status), `DELETE ${escape}`);
      }
      assertRefused(await raw("POST", `/api/2.0/mlflow-artifacts/mpu/create/${escape}`, "{}"), "mpu");
      assertRefused(await raw("GET", `/api/2.0/mlflow-artifacts/presigned/${escape}`), "presigned");
      for (const query of [inQuery, escape]) {
        const listed = await raw("GET", `/api/2.0/mlflow-artifacts/artifacts?path=${query}`);
        assert.ok(listed.status === 400 || /\r\n\r\n\{\}/.test(listed.text), `list ${query}: ${listed.text}`);
        const files = await raw("GET", `/api/2.0/mlflow/artifacts/list?run_id=${runId}&path=${query}`);
        assert.ok(files.status === 400 || !files.text.includes('"files"'), `artifacts/list ${query}: ${files.text}`);
        assertHarmless(await raw("GET", `/get-artifact?run_uuid=${runId}&path=${query}`), "get-artifact");
        assertHarmless(
          await raw("GET", `/model-versions/get-artifact?name=m&version=1&path=${query}`),
          "model-versions/get-artifact",
        );
        assert.ok(
          [200, 400].includes(
            (await raw("POST", `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${runId}&path=${query}`, "attack"))
              .status,
          ),
          "upload-artifact",
        );
      }
      assert.deepEqual(await readdir(server.folder), outside);
      assert.equal(await readFile("/etc/passwd", "utf8"), passwords);
      assert.equal(await readFile(join(server.folder, "secret.txt"), "utf8"), SECRET);
      assert.equal(await readFile(join(server.artifactFolder, "0", runId, "artifacts/a/kept.txt"), "utf8"), "kept");
    });
  }

  for (const location of LOCATIONS) {
    it(`reads nothing through the experiment location ${location}`, async () => {
      const made = await call("POST", "/api/2.0/mlflow/experiments/create", {
        name: `at ${location}`,
        artifact_location: location,
      });
      if (made.status !== 200) return assert.equal(made.status, 400);
      const run = await startRun((JSON.parse(made.text) as { experiment_id: string }).experiment_id);
      assertRefused(await raw("GET", `/get-artifact?run_uuid=${run}&path=passwd`), "get-artifact");
      assert.ok(
        [200, 400].includes(
          (await raw("POST", `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${run}&path=attack`, "attack")).status,
        ),
        "upload-artifact",
      );
      assert.deepEqual(await readdir(server.folder), outside);
      assert.ok(!(await call("GET", `/api/2.0/mlflow/artifacts/list?run_id=${run}`)).text.includes("passwd"));
      for (const source of [location, `${location}/etc`, "file:///etc"]) {
        const version = await call("POST", "/api/2.0/mlflow/model-versions/create", { name: "m", source, run_id: run });
        if (version.status !== 200) continue;
        const { version: number } = (JSON.parse(version.text) as { model_version: { version: string } }).model_version;
        assertRefused(
          await raw("GET", `/model-versions/get-artifact?name=m&version=${number}&path=passwd`),
          `version at ${source}`,
        );
      }
      await assert.rejects(lstat(join("/etc", "attack")));
    });

    it(`reads nothing through the model version source ${location}`, async () => {
      const facts = [
        {},
        { run_id: runId },
        { run_id: "nope" },
        { tags: [{ key: "mlflow.prompt.is_prompt", value: "true" }] },
      ]; // CVE-2026-2614: prompts skipped the check
      for (const fact of facts) {
        const made = await call("POST", "/api/2.0/mlflow/model-versions/create", {
          name: "m",
          source: location,
          ...fact,
        });
        if (made.status !== 200) {
          assert.equal(made.status, 400, made.text);
          continue;
        }
        const { version } = (JSON.parse(made.text) as { model_version: { version: string } }).model_version;
        assertRefused(await raw("GET", `/model-versions/get-artifact?name=m&version=${version}&path=passwd`), location);
        assertRefused(
          await raw("GET", `/model-versions/get-artifact?name=m&version=${version}&path=etc/passwd`),
          location,
        );
      }
    });
  }

  it("refuses sources with parent segments, plain or encoded, in path, query and fragment", async () => {
    for (const source of [
      "s3://b/../x",
      "s3://b/%2e%2e/x",
      "s3://b/%252e%252e/x",
      "http://h/a?b=../../x",
      "http://h/a#/../x",
      "runs:/x/../../y",
      `mlflow-artifacts:/0/${runId}/artifacts/..%5c..`,
    ]) {
      const { status, text } = await call("POST", "/api/2.0/mlflow/model-versions/create", {
        name: "m",
        source,
        run_id: runId,
      });
      assert.equal(status, 400, source);
      assert.match(text, /INVALID_PARAMETER_VALUE.*Invalid model version source/);
    }
  });

  it("follows no link inside the artifact root, and does not list it", async () => {
    const folder = join(server.artifactFolder, "0", runId, "artifacts");
    await mkdir(folder, { recursive: true });
    await symlink(join(server.folder, "secret.txt"), join(folder, "link.txt"));
    await symlink(server.folder, join(folder, "linked"));
    assertRefused(await raw("GET", `${base}/link.txt`), "a link to a file");
    assertRefused(await raw("GET", `${base}/linked/secret.txt`), "a file behind a linked folder");
    assertRefused(await raw("PUT", `${base}/link.txt`, "attack"), "writing through a link");
    assertRefused(await raw("PUT", `${base}/linked/new.txt`, "attack"), "writing below a linked folder");
    assertRefused(await raw("DELETE", `${base}/linked/secret.txt`), "removing behind a link");
    assertRefused(await raw("GET", `/get-artifact?run_uuid=${runId}&path=link.txt`), "get-artifact");
    const { text } = await call("GET", `/api/2.0/mlflow/artifacts/list?run_id=${runId}`);
    assert.doesNotMatch(text, /link/);
    assert.equal(await readFile(join(server.folder, "secret.txt"), "utf8"), SECRET);
    await assert.rejects(lstat(join(server.folder, "new.txt")));
  });

  it("keeps an archive as the file it is: its members are never unpacked", async () => {
    // A tar header whose member is named ../../secret.txt (CVE-2023-6975 wrote through unpacked members).
    const member = Buffer.alloc(1024);
    member.write("../../secret.txt", 0);
    member.write("0000644\0", 100);
    member.write("00000000006\0", 124);
    const { statusCode } = await server.server.inject({
      method: "PUT",
      url: `${base}/model.tar`,
      payload: member,
      headers: { "content-type": "application/x-tar" },
    });
    assert.equal(statusCode, 200);
    assert.deepEqual(await readFile(join(server.artifactFolder, "0", runId, "artifacts/model.tar")), member);
    assert.equal(await readFile(join(server.folder, "secret.txt"), "utf8"), SECRET);
  });

  it("removes neither the root nor what uploads are growing in", async () => {
    for (const path of ["", "/", "//", ".", "%2e", ".incoming"])
      assertRefused(await raw("DELETE", `/api/2.0/mlflow-artifacts/artifacts/${path}`), `DELETE ${path}`);
    assert.equal(await readFile(join(server.artifactFolder, "0", runId, "artifacts/a/kept.txt"), "utf8"), "kept");
  });

  it("sends artifacts so that a browser neither guesses their type nor runs them", async () => {
    await raw("PUT", `${base}/page.html`, "<script>alert(1)</script>");
    const { headers } = await server.server.inject({ method: "GET", url: `${base}/page.html` });
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.match(String(headers["content-disposition"]), /^attachment; filename=page\.html/);
    assert.match(String(headers["content-security-policy"]), /sandbox/);
  });
}

describe("addresses that webhooks may reach", () => {
  it("are public ones only, also when an IPv6 address wraps an IPv4 one", () => {
    for (const address of ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
      assert.ok(isPublicAddress(address), address);
    for (const address of [
      "127.0.0.1",
      "0.0.0.0",
      "10.1.2.3",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "169.254.169.254",
      "100.64.0.1",
      "224.0.0.1",
      "255.255.255.255",
      "198.18.0.1",
      "::1",
      "::",
      "fe80::1",
      "fc00::1",
      "ff02::1",
      "::ffff:127.0.0.1",
      "::ffff:10.0.0.1",
      "64:ff9b::7f00:1",
      "2002:7f00:1::",
      "2001:db8::1",
      "not an address",
    ])
      assert.ok(!isPublicAddress(address), address);
  });
});
