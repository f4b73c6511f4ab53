// Bundles each test with the modules that it imports, into a folder.

import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const tests = readdirSync(here).filter((file) => file.endsWith(".test.mjs"));

await build({
  root: join(here, ".."),
  configFile: false,
  logLevel: "warn",
  resolve: { alias: { tickerplant: join(here, "../../clients/js/src/index.ts") } },
  build: {
    ssr: true,
    outDir: process.argv[2],
    emptyOutDir: true,
    target: "node20",
    rolldownOptions: {
      input: Object.fromEntries(tests.map((file) => [basename(file, ".mjs"), join(here, file)])),
      output: { entryFileNames: "[name].mjs", chunkFileNames: "[name].mjs" },
    },
  },
});
