// Tests the dashboard, the plain page, the README's snippet and the Server-Sent Events in a browser.

const { rmSync } = require("node:fs");
const { chromium } = require("playwright-core");
const { FLAGS } = require("./browser.cjs");
const { FOLDER } = require("./support.cjs");

const DASHBOARD = ["table", "halt", "detail", "feed", "connection", "relay", "connect", "accessibility", "pictures"];
const NAMES = [...DASHBOARD.map((name) => `dashboard/${name}`), "plain_page", "snippet", "event_source"];
const all = Object.assign({}, ...NAMES.map((name) => require(`./${name}.cjs`)));

/** The checks whose names contain the first argument of the command, or all checks. */
const checks = Object.fromEntries(Object.entries(all).filter(([name]) => name.includes(process.argv[2] ?? "")));

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
