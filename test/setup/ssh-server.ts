import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

export interface SshServer {
  readonly user: string;
  readonly address: string;
  readonly port: number;
  readonly hostKey: string;
  /** Of the daemon that listens. */
  readonly pid: number;
}

/** A key to log in with, made in a folder. */
export async function makeLoginKey(folder: string): Promise<{ readonly key: string; readonly publicKey: string }> {
  await mkdir(folder, { recursive: true });
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "login")]);
  const [key, publicKey] = await Promise.all(
    ["login", "login.pub"].map((name) => readFile(join(folder, name), "utf8")),
  );
  return { key: key ?? "", publicKey: publicKey ?? "" };
}

/** Why no sshd can be started here; false: it can. */
export const lacksSsh: string | false =
  existsSync("/usr/sbin/sshd") && existsSync("/usr/bin/ssh-keygen")
    ? false
    : "there is no sshd: apt-get install openssh-server";

/** A real sshd on loopback that lets the owner of one key in; ended after the current suite. */
export async function startSshServer(folder: string, publicKey: string): Promise<SshServer> {
  await mkdir(folder, { recursive: true });
  const hostKey = join(folder, "host_key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", hostKey]);
  await writeFile(join(folder, "authorized_keys"), publicKey, { mode: 0o600 });
  const port = await freePort();
  const config = join(folder, "sshd_config");
  await writeFile(
    config,
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${hostKey}
AuthorizedKeysFile ${join(folder, "authorized_keys")}
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
`,
  );
  await mkdir("/run/sshd", { recursive: true }).catch(() => undefined);
  const server = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", config], { stdio: ["ignore", "ignore", "pipe"] });
  after(() => server.kill());
  let said = "";
  server.stderr.on("data", (piece: Buffer) => (said += piece.toString()));
  while (!said.includes("Server listening")) {
    if (server.exitCode !== null) throw new Error(`sshd ended: ${said}`);
    await delay(20);
  }
  const [type, key] = (await readFile(`${hostKey}.pub`, "utf8")).split(" ");
  return { user: userInfo().username, address: "127.0.0.1", port, hostKey: `${type} ${key}`, pid: server.pid ?? 0 };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
