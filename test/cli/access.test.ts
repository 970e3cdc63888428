import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { type CommandEnd, runEsteira } from "../setup/command-line.ts";
import { startServer } from "../setup/started-server.ts";
import { describeStores, openTestStore, temporaryFolder } from "../setup/stores.ts";

interface Printed {
  readonly id: string;
  readonly token: string;
  readonly user: string;
  readonly label: string;
  readonly expiresAtMs?: number;
  readonly roles: readonly { readonly project: string; readonly role: string }[];
}

describeStores("users and tokens on the command line", (kind) => {
  async function openProject(): Promise<{
    esteira(...words: readonly string[]): Promise<CommandEnd>;
    json(...words: readonly string[]): Promise<Printed>;
    folder: string;
  }> {
    const folder = await temporaryFolder();
    const { address } = await openTestStore(kind);
    await writeFile(join(folder, "esteira.yaml"), `name: shop\nstore: { metadata: ${JSON.stringify(address)} }\n`);
    const esteira = (...words: readonly string[]): Promise<CommandEnd> =>
      runEsteira(folder, words, { ESTEIRA_LANG: "en" });
    const json = async (...words: readonly string[]): Promise<Printed> => {
      const { code, stdout, stderr } = await esteira(...words, "--json");
      assert.equal(code, 0, stdout + stderr);
      return JSON.parse(stdout) as Printed;
    };
    return { esteira, json, folder };
  }

  it("a token is shown once, listed without its secret, and let nobody in once it is revoked", async () => {
    const { esteira, json, folder } = await openProject();
    assert.match((await esteira("token", "create", "ana")).stderr, /no user "ana".*esteira user create ana/s);
    await json("user", "create", "ana");
    const made = await json("token", "create", "ana", "--name", "laptop", "--expires", "2");
    assert.deepEqual([made.user, made.label], ["ana", "laptop"]);
    assert.ok(Math.abs((made.expiresAtMs ?? 0) - Date.now() - 2 * 86_400_000) < 600_000);
    assert.equal((await runEsteira(folder, ["user", "list"], { ESTEIRA_TOKEN: made.token })).code, 0);

    const listed = await esteira("token", "list");
    assert.match(listed.stdout, new RegExp(`${made.id}  ana   laptop +valid`));
    const secret = made.token.slice(`est_${made.id}_`.length);
    assert.ok(!`${listed.stdout}${(await esteira("token", "list", "--json")).stdout}`.includes(secret));

    await json("token", "revoke", made.id);
    assert.match((await esteira("token", "list")).stdout, /laptop +revoked/);
    const refused = await runEsteira(folder, ["user", "list"], { ESTEIRA_TOKEN: made.token });
    assert.deepEqual([refused.code, /ACCESS_UNAUTHENTICATED/.test(refused.stderr)], [1, true]);
    assert.match((await esteira("token", "revoke", made.id)).stderr, /ACCESS_TOKEN_MISSING/);
    for (const days of ["0", "soon", "1.5", "3651"])
      assert.equal((await esteira("token", "create", "ana", "--expires", days)).code, 2, days);
  });

  it("a role is granted in this project, a named one or all, and taken away again", async () => {
    const { esteira, json } = await openProject();
    await json("user", "create", "ana");
    await json("user", "create", "rui");
    assert.deepEqual((await json("user", "grant", "rui", "reviewer")).roles, [{ project: "shop", role: "reviewer" }]);
    await json("user", "grant", "rui", "viewer", "--project", "other");
    assert.match(
      (await esteira("user", "grant", "rui", "admin", "--project", "*")).stdout,
      /rui: admin in \*, viewer in other, reviewer in shop/,
    );
    await json("user", "revoke", "rui", "--project", "*");
    assert.deepEqual((await json("user", "revoke", "rui")).roles, [{ project: "other", role: "viewer" }]);

    assert.match(
      (await esteira("user", "revoke", "rui")).stderr,
      /no role in project shop; holds: viewer in other.*ACCESS_GRANT_MISSING/s,
    );
    assert.match((await esteira("user", "revoke", "ana", "--project", "*")).stderr, /ACCESS_LAST_ADMINISTRATOR/);
    assert.match((await esteira("user", "grant", "rui", "reviewr")).stderr, /Did you mean reviewer/);
    const folder = await esteira("user", "grant", "rui", "viewer", "--project", "./shop");
    assert.deepEqual([folder.code, /expected a project's name/.test(folder.stderr)], [2, true]);
  });

  it("a token manages users and tokens only as far as its owner is administrator", async () => {
    const { json, folder } = await openProject();
    const ana = await json("user", "create", "ana");
    const tokens = {
      viewer: await json("user", "create", "vic", "--role", "viewer"),
      reviewer: await json("user", "create", "rui", "--role", "reviewer"),
    };
    const as = (token: string, ...words: readonly string[]): Promise<CommandEnd> =>
      runEsteira(folder, words, { ESTEIRA_LANG: "en", ESTEIRA_TOKEN: token });
    const commands = [
      ["user", "create", "eve", "--role", "admin"],
      ["user", "grant", "vic", "admin"],
      ["user", "grant", "vic", "admin", "--project", "*"],
      ["user", "revoke", "rui"],
      ["token", "create", "ana"],
      ["token", "create", "vic"],
      ["token", "list"],
      ["token", "revoke", ana.token.split("_")[1] ?? ""],
    ];
    for (const [role, { token }] of Object.entries(tokens)) {
      for (const words of commands) {
        const { code, stdout, stderr } = await as(token, ...words);
        assert.deepEqual(
          [code, /ACCESS_DENIED/.test(stderr), stdout],
          [1, true, ""],
          `${role}: esteira ${words.join(" ")}: ${stderr}`,
        );
      }
    }
    const shop = await json("user", "create", "sam", "--role", "admin");
    assert.equal(
      (await as(shop.token, "user", "create", "ivo", "--role", "reviewer")).code,
      0,
      "an administrator of the project",
    );
    assert.equal((await as(shop.token, "user", "grant", "vic", "contributor")).code, 0);
    for (const words of [
      ["user", "grant", "sam", "admin", "--project", "*"],
      ["user", "grant", "sam", "admin", "--project", "other"],
      ["token", "create", "ana"],
    ])
      assert.match((await as(shop.token, ...words)).stderr, /ACCESS_DENIED/, words.join(" "));
    for (const words of [
      ["token", "create", "vic"],
      ["token", "list"],
      ["user", "grant", "sam", "admin", "--project", "other"],
    ])
      assert.equal((await as(ana.token, ...words)).code, 0, words.join(" "));
    assert.match((await as("est_wrong_token", "user", "create", "eve")).stderr, /ACCESS_UNAUTHENTICATED/);
  });
});

it("users and tokens of a store without a project, from any folder, and then the server may be reached by others", async () => {
  const [folder, store] = [await temporaryFolder(), join(await temporaryFolder(), "tracking")];
  const json = async (...words: readonly string[]): Promise<Printed> => {
    const { code, stdout, stderr } = await runEsteira(folder, [...words, "--store", store, "--json"], {
      ESTEIRA_LANG: "en",
    });
    assert.equal(code, 0, `esteira ${words.join(" ")}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as Printed;
  };
  const refused = await runEsteira(folder, ["up", "--store", store, "--host", "0.0.0.0", "--port", "0"], {
    ESTEIRA_LANG: "en",
  });
  assert.match(
    refused.stderr,
    /SERVER_ACCESS_NOT_SET_UP.*esteira user create NAME --role admin \(with the same --store/s,
  );
  const ana = await json("user", "create", "ana");
  assert.deepEqual(ana.roles, [{ project: "*", role: "admin" }]);
  assert.deepEqual((await json("user", "create", "rui", "--role", "viewer")).roles, [
    { project: "default", role: "viewer" },
  ]);
  assert.deepEqual((await json("user", "grant", "rui", "reviewer")).roles, [{ project: "default", role: "reviewer" }]);
  assert.deepEqual((await json("user", "revoke", "rui")).roles, []);
  const made = await json("token", "create", "rui", "--name", "ci");
  assert.equal(((await json("token", "list")) as unknown as readonly unknown[]).length, 3);
  await json("token", "revoke", made.id);
  assert.equal(((await json("user", "list")) as unknown as readonly unknown[]).length, 2);

  const server = await startServer(folder, {}, ["--store", store, "--host", "0.0.0.0"]);
  const experiments = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${server.url}/api/2.0/mlflow/experiments/search?max_results=1`, { headers });
  try {
    assert.equal((await experiments({})).status, 401);
    assert.equal((await experiments({ authorization: `Bearer ${ana.token}` })).status, 200);
  } finally {
    await server.stop();
  }
  const nowhere = await runEsteira(folder, ["user", "list"], { ESTEIRA_LANG: "en" });
  assert.match(nowhere.stderr, /CONFIG_PROJECT_MISSING/);
});
