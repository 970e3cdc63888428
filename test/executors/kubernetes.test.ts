// The client of a cluster, against a stub (test/setup/kubernetes-stub.ts).
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isEsteiraError } from "#base";
import { Cluster, type ClusterAccess, readKubeconfig, readServiceAccount } from "#executors";
import { startKubernetesStub } from "../setup/kubernetes-stub.ts";
import { temporaryFolder } from "../setup/stores.ts";

describe("a cluster's API", async () => {
  const folder = await temporaryFolder();
  const stub = await startKubernetesStub(join(folder, "stub"));
  const other = await startKubernetesStub(join(folder, "other"));
  const read = (given: string, context?: string): Promise<ClusterAccess> =>
    readKubeconfig({ target: "shop", given, context });
  const look = async (access: ClusterAccess): Promise<string | undefined> => {
    const cluster = new Cluster({ access, signal: new AbortController().signal });
    try {
      return (await cluster.findKind("apps/v1", "Deployment"))?.resource;
    } finally {
      cluster.close();
    }
  };
  const invalid = (problem: RegExp) => (error: unknown) =>
    isEsteiraError(error, "EXECUTORS_KUBECONFIG_INVALID") && problem.test(error.message);

  it("is reached by a kubeconfig, its file, a token's file, and the service account of a pod", async () => {
    assert.equal(await look(await read(stub.kubeconfig())), "deployments");
    await writeFile(join(folder, "token"), `${stub.token}\n`);
    const path = join(folder, "kubeconfig");
    await writeFile(path, stub.kubeconfig({ user: { tokenFile: "token" } }));
    assert.equal(await look(await read(path)), "deployments");
    const account = join(folder, "account");
    await mkdir(account);
    await writeFile(join(account, "token"), stub.token);
    await writeFile(join(account, "ca.crt"), stub.authority);
    const { hostname: host, port } = new URL(stub.url);
    assert.equal(await look(await readServiceAccount({ target: "shop", host, port, folder: account })), "deployments");
    await assert.rejects(
      readServiceAccount({ target: "shop", host: undefined, port, folder: account }),
      invalid(/does not run in a cluster/),
    );
  });

  it("is trusted only by its authority, unless the kubeconfig says otherwise", async () => {
    const foreign = Buffer.from(other.authority).toString("base64");
    await assert.rejects(
      read(stub.kubeconfig({ cluster: { "certificate-authority-data": foreign } })).then(look),
      (error) =>
        isEsteiraError(error, "EXECUTORS_CLUSTER_UNREACHABLE") &&
        /certificate is not trusted/.test(error.message) &&
        !JSON.stringify(error).includes(stub.token),
    );
    const open = { "certificate-authority-data": undefined, "insecure-skip-tls-verify": true };
    assert.equal(await look(await read(stub.kubeconfig({ cluster: open }))), "deployments");
    await assert.rejects(
      read(stub.kubeconfig({ cluster: { server: stub.url.replace("https", "http") } })),
      invalid(/begins with https/),
    );
  });

  it("is not reached by what starts programs, sends passwords or acts as others, and says what is missing", async () => {
    const token = stub.token;
    for (const [user, problem] of [
      [{ exec: { command: "sh", args: ["-c", "id"] } }, /starts a program \(exec\)/],
      [{ "auth-provider": { name: "gcp" } }, /auth-provider/],
      [{ username: "a", password: "b" }, /name and password/],
      [{ token, as: "admin" }, /acts as somebody else/],
      [{}, /no token, tokenFile or client certificate/],
      [{ tokenFile: "../token" }, /relative path/],
      [{ "client-key-data": "eA==", token }, /not PEM in base64/],
    ] as const)
      await assert.rejects(read(stub.kubeconfig({ user })), invalid(problem));
    await assert.rejects(read(stub.kubeconfig(), "elsewhere"), invalid(/no context "elsewhere"/));
    for (const text of ["", "token: [", "just text", "[]", "/hunter2-and-more", "/\0"])
      await assert.rejects(
        read(text),
        (error) => isEsteiraError(error, "EXECUTORS_KUBECONFIG_INVALID") && !JSON.stringify(error).includes("hunter2"),
      );
  });

  it("is asked again after 429 and 5xx, and no more when it stays so", { timeout: 60_000 }, async () => {
    const access = await read(stub.kubeconfig());
    stub.failNext(2, 503);
    assert.equal(await look(access), "deployments");
    const began = performance.now();
    stub.failNext(1, 429, 1);
    assert.equal(await look(access), "deployments");
    assert.ok(performance.now() - began >= 950);
    stub.failNext(6, 500);
    await assert.rejects(look(access), (error) => isEsteiraError(error, "EXECUTORS_CLUSTER_UNREACHABLE"));
  });
});
