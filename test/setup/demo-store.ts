import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { temporaryFolder } from "./stores.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/**
 * The project of the demo after the demo was played in it: the whole cycle, by the real program, in some minutes.
 * `ESTEIRA_TEST_DEMO` names the folder of one that was played before (`npm run demo -- --exit --folder DIR`).
 */
export async function playDemo(): Promise<string> {
  const known = process.env["ESTEIRA_TEST_DEMO"];
  if (known !== undefined && existsSync(join(known, ".esteira/metadata.sqlite"))) return known;
  const folder = join(await temporaryFolder(), "flights");
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      join(ROOT, "scripts/demo.ts"),
      "--exit",
      "--port",
      "0",
      "--folder",
      folder,
    ],
    { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] },
  );
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece: Buffer) => (said = (said + piece.toString()).slice(-4000)));
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`the demo ended with ${code}: ${said}`);
  return folder;
}
