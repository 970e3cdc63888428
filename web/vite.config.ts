import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const folder = fileURLToPath(new URL(".", import.meta.url));

export default defineConfig({
  root: folder,
  plugins: [react()],
  resolve: { alias: { "#api": fileURLToPath(new URL("../src/api/index.ts", import.meta.url)) } },
  server: { proxy: { "/api": "http://127.0.0.1:4000" } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    manifest: true,
    // Tables of routes are made by calls, which do nothing else: a page takes those that it names.
    rollupOptions: { treeshake: { moduleSideEffects: (id) => !id.includes("/src/api/") } },
  },
});
