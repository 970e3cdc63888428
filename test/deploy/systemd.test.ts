// What systemd makes of the units in deploy/systemd.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "../setup/stores.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const FOLDER = join(ROOT, "deploy/systemd");
/** Where the units look for the program. */
const INSTALLED = "/opt/esteira/bin/esteira";
/** Tenths; what is left are the namespaces of sandboxes, the network, and code that is compiled at run time. */
const LARGEST_EXPOSURE = 35;

const analyze = (...words: string[]): { readonly status: number | null; readonly said: string } => {
  const { status, stdout, stderr } = spawnSync("systemd-analyze", words, { encoding: "utf8" });
  return { status, said: `${stdout}${stderr}` };
};
const noSystemd = spawnSync("systemd-analyze", ["--version"]).error !== undefined && "systemd-analyze is not installed";

/** The units with the program of this clone, and the instances of the one with an @. */
async function copyUnits(): Promise<readonly string[]> {
  const folder = await temporaryFolder();
  const made: string[] = [];
  for (const name of await readdir(FOLDER)) {
    if (!/\.(service|timer)$/.test(name)) continue;
    const text = (await readFile(join(FOLDER, name), "utf8")).replaceAll(INSTALLED, join(ROOT, "bin/esteira"));
    for (const instance of name.includes("@") ? ["front", "engine"] : [""]) {
      const path = join(folder, name.replace("@", `@${instance}`));
      await writeFile(path, text);
      made.push(path);
    }
  }
  return made;
}

describe("the units of deploy/systemd", { skip: noSystemd }, () => {
  it("are read by systemd without a word", async () => {
    const units = await copyUnits();
    assert.ok(units.length >= 6);
    for (const unit of units) assert.deepEqual({ unit, ...analyze("verify", unit) }, { unit, status: 0, said: "" });
  });

  it("let a service do little beside its work", async () => {
    for (const unit of (await copyUnits()).filter((name) => name.endsWith(".service"))) {
      const { status, said } = analyze("security", "--offline=true", `--threshold=${LARGEST_EXPOSURE}`, unit);
      assert.equal(status, 0, said.split("\n").slice(-3).join("\n"));
    }
  });

  it("hide no part of /proc, without which no sandbox can be made", async () => {
    for (const unit of (await copyUnits()).filter((name) => name.endsWith(".service"))) {
      const text = await readFile(unit, "utf8");
      assert.doesNotMatch(text, /^(ProtectProc|ProcSubset|ProtectKernelTunables|ProtectKernelLogs|ProtectHostname)=/m);
      assert.doesNotMatch(text, /^(RestrictNamespaces|PrivateDevices|MemoryDenyWriteExecute)=/m);
      assert.match(text, /^SystemCallFilter=.*@mount/m);
    }
  });

  it("take every option that they name from the example of their environment", async () => {
    const examples = ["esteira.env.example", "front.env.example"].map((name) => readFile(join(FOLDER, name), "utf8"));
    const example = (await Promise.all(examples)).join("\n");
    for (const unit of await copyUnits())
      for (const [, name = ""] of (await readFile(unit, "utf8")).matchAll(/^ExecStart=.*\$(\w+)/gm))
        assert.match(example, new RegExp(`^#?${name}=`, "m"));
  });
});
