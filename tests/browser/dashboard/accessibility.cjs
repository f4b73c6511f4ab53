// Checks of the dashboard by axe-core, in all palettes and sizes, and with each panel open.

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { control, withToken } = require("../support.cjs");
const { PAUSED, open, row, status, withServer } = require("./page.cjs");

const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const SIZES = [[390, 844], [1280, 800], [2560, 1440]];
const LOOKS = ["light", "dark"].flatMap((theme) => ["classic", "safe"].flatMap((palette) => [false, true].map((swapped) => ({ theme, palette, swapped }))));

/** Fails if axe-core finds a violation. */
async function hasNoViolation(page, place) {
  const { violations } = await page.evaluate(() => axe.run(document));
  const found = violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${place}: ${id}: ${html}\n${failureSummary}`));
  assert.deepEqual(found, []);
}

async function openWithAxe(browser, address, query) {
  const page = await open(browser, address, query);
  await page.evaluate(AXE);
  return page;
}

/** Applies a look as the panel of settings stores it. */
const apply = (page, look) => page.evaluate((preferences) => {
  document.querySelector("tp-app").page.look(preferences);
}, look);

module.exports = {
  "axe-core finds no violation in any palette, swapped or not, at three sizes": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await openWithAxe(browser, address, "?symbols=AAPL,MSFT,NVDA&symbol=AAPL&sort=-last");
    await status(page, "Paused");
    await row(page, "AAPL").waitFor({ state: "attached" });
    await page.locator(".legend b").first().waitFor();
    for (const [width, height] of SIZES) {
      await page.setViewportSize({ width, height });
      for (const look of LOOKS) {
        await apply(page, look);
        await hasNoViolation(page, `${width} px, ${JSON.stringify(look)}`);
      }
    }
  }),

  "axe-core finds no violation with each panel open": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await openWithAxe(browser, address, "?colour=red");
    await row(page, "AAPL").waitFor();
    for (const [width, height] of SIZES) {
      await page.setViewportSize({ width, height });
      for (const name of ["Connect your own", "Settings", "Keys"]) {
        await page.getByRole("button", { name }).click();
        await page.getByRole("dialog").waitFor();
        await hasNoViolation(page, `${width} px, ${name}`);
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
      await page.keyboard.press("r");
      await page.getByRole("log").waitFor();
      await hasNoViolation(page, `${width} px, relay`);
      await page.keyboard.press("Escape");
    }
  }),

  "axe-core finds no violation on the page of a refusal": (browser) => withServer(withToken('subscribe = ["*"]'), async (address) => {
    const page = await openWithAxe(browser, address, "");
    await page.getByRole("heading", { name: "This server asks for a token" }).waitFor();
    for (const theme of ["light", "dark"]) {
      await apply(page, { theme, palette: "classic", swapped: false });
      await hasNoViolation(page, `refused, ${theme}`);
    }
  }),
};
