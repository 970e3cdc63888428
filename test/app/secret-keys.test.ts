// Secrets of webhooks in the database: sealed, also those of earlier versions; rotated; named when the key is gone.
import assert from "node:assert/strict";
import { chmod, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { isEsteiraError } from "#base";
import { readSettings } from "#config";
import { createWebhook, getWebhookSecret, listWebhookSecrets } from "#metadata-store/registry";
import { examineWebhookSecrets, sealWebhookSecrets } from "#registry";
import { addSecretKey, openSecretBox, secretKeyFile } from "../../src/app/secret-keys.ts";
import { describeStores, openTestStore, temporaryFolder } from "../setup/stores.ts";

const EVENT = { entity: "MODEL_VERSION", action: "CREATED" } as const;
const SECRET = "ünder the mat: 1'2\"3";

describeStores("the secrets of webhooks", (kind) => {
  it("are sealed with a key outside the store, rotated, and refused by name without it", async () => {
    const [{ store, folder }, home] = [await openTestStore(kind), await temporaryFolder()];
    const settings = readSettings({ HOME: home }, false);
    const config = { storeFolder: folder };
    const box = openSecretBox(config, settings);
    const facts = { project: "p", atMs: 1, actor: "ana", name: "w", url: "https://example.org", events: [EVENT] };
    // As an earlier version wrote it.
    const { id } = await store.write((transaction) => createWebhook(transaction, { ...facts, secret: SECRET }));
    await store.write((transaction) => createWebhook(transaction, { ...facts, name: "without" }));
    const kept = async (): Promise<string> =>
      (await store.read((transaction) => getWebhookSecret(transaction, id))) ?? "";
    assert.deepEqual(await examineWebhookSecrets(store, box), { total: 1, unreadable: 0, outdated: 1 });
    const file = secretKeyFile(settings) ?? "";
    await assert.rejects(stat(file), { code: "ENOENT" });
    assert.equal(await sealWebhookSecrets(store, box), 1);
    assert.equal(await sealWebhookSecrets(store, box), 0);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const first = await kept();
    assert.match(first, /^esteira\.sealed\/1:/);
    assert.ok(!first.includes("mat"));
    assert.equal(await box.open(first), SECRET);

    await addSecretKey({ ...config }, settings);
    assert.deepEqual(await examineWebhookSecrets(store, box), { total: 1, unreadable: 0, outdated: 1 });
    assert.equal(await sealWebhookSecrets(store, box), 0, "hosts with other keys do not seal each other's in turns");
    assert.equal(await sealWebhookSecrets(store, box, { renew: true }), 1);
    const second = await kept();
    assert.notEqual(second.split(":")[1], first.split(":")[1]);
    assert.equal(await box.open(second), SECRET);
    assert.equal(await box.open(first), SECRET, "a backup of before the rotation");

    const changed = `${second.slice(0, -2)}${second.endsWith("A") ? "B" : "A"}A`;
    await assert.rejects(box.open(changed), (error) => isEsteiraError(error, "OUTBOX_SECRET_UNREADABLE"));
    const keys = await readFile(file, "utf8");
    const environment = readSettings({ ESTEIRA_SECRETS_KEY: keys.trim().split("\n").join(",") }, false);
    assert.equal(await openSecretBox(config, environment).open(second), SECRET);

    await chmod(file, 0o644);
    await assert.rejects(box.seal("x"), (error) => isEsteiraError(error, "OUTBOX_SECRET_KEY_INVALID"));
    await rm(file);
    assert.deepEqual(await examineWebhookSecrets(store, box), { total: 1, unreadable: 1, outdated: 0 });
    await assert.rejects(box.open(second), (error) => isEsteiraError(error, "OUTBOX_SECRET_UNREADABLE"));
    await assert.rejects(stat(file), { code: "ENOENT" }, "nothing is made to open something");
    await writeFile(file, keys, { mode: 0o600 });
    assert.equal(await box.open(second), SECRET);
    assert.equal((await store.read(listWebhookSecrets)).length, 1);
  });

  it("are not sealed with a key that lies in the store, nor without any place for one", async () => {
    const { folder } = await openTestStore(kind);
    const inside = openSecretBox({ storeFolder: folder }, readSettings({ HOME: join(folder, "home") }, false));
    await assert.rejects(inside.seal("x"), (error) => isEsteiraError(error, "OUTBOX_SECRET_KEY_MISSING"));
    const nowhere = openSecretBox({ storeFolder: folder }, readSettings({}, false));
    await assert.rejects(nowhere.seal("x"), (error) => isEsteiraError(error, "OUTBOX_SECRET_KEY_MISSING"));
    const short = openSecretBox({ storeFolder: folder }, readSettings({ ESTEIRA_SECRETS_KEY: "c2hvcnQ=" }, false));
    await assert.rejects(short.seal("x"), (error) => isEsteiraError(error, "OUTBOX_SECRET_KEY_INVALID"));
  });
});
