// Builds the dashboard and the browser library into `dist`. Writes the licences of the third-party packages that are
// in the built files. Writes each file in three forms: plain, compressed by brotli, compressed by gzip.

import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const library = join(here, "../clients/js/src/index.ts");
const common = { root: here, configFile: false, logLevel: "warn", clearScreen: false };

/** Builds the dashboard. Its files have their hashes in their names. The addresses in them are relative. */
const page = await build({
  ...common,
  base: "./",
  resolve: { alias: { tickerplant: library } },
  build: {
    outDir: dist,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
});

/** Builds the browser library as one file. */
await build({
  ...common,
  build: {
    outDir: dist,
    emptyOutDir: false,
    target: "es2022",
    modulePreload: { polyfill: false },
    rolldownOptions: { input: library, preserveEntrySignatures: "strict", output: { entryFileNames: "client.js" } },
  },
});

/** Returns the folder of the package that has a module, or nothing for our own modules. */
function packageOf(module) {
  // Vite adds a module of its own, which loads the chart when it is needed.
  if (module.startsWith("\0vite")) return join(here, "node_modules/vite");
  return module.match(/^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0];
}

/** Returns the text about one package: its name, its version, its licence and its notices. */
function licence(folder) {
  const { name, version, license, author, homepage } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const head = [`${name} ${version}`, `Licence: ${license}`];
  if (author) head.push(`Author: ${author.name ?? author}`);
  if (homepage) head.push(homepage);
  const files = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|notice)/i.test(file))
    .sort();
  return [head.join("\n"), ...files.map((file) => readFileSync(join(folder, file), "utf8").trim())].join("\n\n");
}

const modules = page.output.flatMap((file) => file.moduleIds ?? []);
const packages = [
  ...new Set(modules.map(packageOf).filter((folder) => folder && existsSync(join(folder, "package.json")))),
].sort();
const intro = "The dashboard of tickerplant contains parts of these packages.";
writeFileSync(join(dist, "licenses.txt"), [intro, ...packages.map(licence)].join(`\n\n${"-".repeat(80)}\n\n`) + "\n");

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  const bytes = readFileSync(path);
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
}
