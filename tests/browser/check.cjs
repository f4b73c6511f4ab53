// Tests the page, the README's snippet and the Server-Sent Events in a browser.

const { rmSync } = require("node:fs");
const { chromium } = require("playwright-core");
const { FOLDER } = require("./support.cjs");

const checks = { ...require("./page.cjs"), ...require("./snippet.cjs"), ...require("./event_source.cjs") };

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP ticks.example 127.0.0.1"];

(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    const context = await browser.newContext();
    try {
      await check(context);
      console.log(`ok: ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED: ${name}\n${error.stack}`);
    }
    await context.close();
  }
  await browser.close();
  rmSync(FOLDER, { recursive: true, force: true });
  console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
})();
