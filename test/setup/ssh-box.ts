import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import type { Executor } from "#engine";
import { type OpenedServer, openTestServer } from "./opened-server.ts";
import { makeLoginKey, type SshServer, startSshServer } from "./ssh-server.ts";
import { temporaryFolder } from "./stores.ts";

const COMMAND = resolve(import.meta.dirname, "../../bin/esteira");

export interface BoxServer extends OpenedServer {
  readonly box: Executor;
  /** Folder of the worker on the host. */
  readonly there: string;
}

/** A host that lets the owner of a key in, and settings that name it. */
export interface TestHost {
  readonly host: SshServer;
  readonly key: string;
  readonly publicKey: string;
  /** Lines of esteira.yaml: an executor `box`. */
  yaml(there: string, more?: Partial<SshServer>): string;
  /** A server whose executor `box` is the host. */
  open(more?: Partial<SshServer>, environment?: Readonly<Record<string, string>>): Promise<BoxServer>;
}

/** A real sshd on loopback; ended after the current suite. */
export async function startTestHost(): Promise<TestHost> {
  const folder = await temporaryFolder();
  const { key, publicKey } = await makeLoginKey(folder);
  const host = await startSshServer(join(folder, "sshd"), publicKey);
  const yaml = (there: string, more: Partial<SshServer> = {}): string => {
    const { user, address, port, hostKey } = { ...host, ...more };
    return `executors:
  box:
    ssh:
      hosts: [{ address: "${user}@${address}:${port}", host_key: "${hostKey}" }]
      key: BOX_KEY
      command: ${COMMAND}
      folder: ${there}
      cpus: 16
`;
  };
  return {
    host,
    key,
    publicKey,
    yaml,
    async open(more, environment = { ESTEIRA_SECRET_BOX_KEY: key }) {
      const there = await temporaryFolder();
      const opened = await openTestServer({ environment, yaml: yaml(there, more) });
      const whole = await opened.platform.whole();
      const box = whole.executors.find(({ name }) => name === "box");
      assert.ok(box !== undefined);
      return { ...opened, box, there };
    },
  };
}
