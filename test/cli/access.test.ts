import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { type CommandEnd, runEsteira } from "../setup/command-line.ts";
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
  async function openProject(): Promise<{ esteira(...words: readonly string[]): Promise<CommandEnd>; json(...words: readonly string[]): Promise<Printed>; folder: string }> {
    const folder = await temporaryFolder();
    const { address } = await openTestStore(kind);
    await writeFile(join(folder, "esteira.yaml"), `name: shop\nstore: { metadata: ${JSON.stringify(address)} }\n`);
    const esteira = (...words: readonly string[]): Promise<CommandEnd> => runEsteira(folder, words, { ESTEIRA_LANG: "en" });
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
    for (const days of ["0", "soon", "1.5", "3651"]) assert.equal((await esteira("token", "create", "ana", "--expires", days)).code, 2, days);
  });

  it("a role is granted in this project, a named one or all, and taken away again", async () => {
    const { esteira, json } = await openProject();
    await json("user", "create", "ana");
    await json("user", "create", "rui");
    assert.deepEqual((await json("user", "grant", "rui", "reviewer")).roles, [{ project: "shop", role: "reviewer" }]);
    await json("user", "grant", "rui", "viewer", "--project", "other");
    assert.match((await esteira("user", "grant", "rui", "admin", "--project", "*")).stdout, /rui: admin in \*, viewer in other, reviewer in shop/);
    await json("user", "revoke", "rui", "--project", "*");
    assert.deepEqual((await json("user", "revoke", "rui")).roles, [{ project: "other", role: "viewer" }]);

    assert.match((await esteira("user", "revoke", "rui")).stderr, /no role in project shop; holds: viewer in other.*ACCESS_GRANT_MISSING/s);
    assert.match((await esteira("user", "revoke", "ana", "--project", "*")).stderr, /ACCESS_LAST_ADMINISTRATOR/);
    assert.match((await esteira("user", "grant", "rui", "reviewr")).stderr, /Did you mean reviewer/);
    const folder = await esteira("user", "grant", "rui", "viewer", "--project", "./shop");
    assert.deepEqual([folder.code, /expected a project's name/.test(folder.stderr)], [2, true]);
  });
});
