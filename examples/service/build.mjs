import { cp, mkdir, rm } from "node:fs/promises";

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
await cp("src", "dist/src", { recursive: true });
await cp("package.json", "dist/package.json");
console.log("built dist/");
