// Makes the README's pictures. With UPDATE_PICTURES=1 they replace those in docs/pictures.

const { mkdirSync } = require("node:fs");
const { ask, control } = require("../support.cjs");
const { noFaults, open, row, status, withServer } = require("./page.cjs");

const FOLDER = process.env.UPDATE_PICTURES ? "docs/pictures" : "target/browser/pictures";
const FEED = ["--feed", "simulated", "--seed", "7", "--start", "2026-01-05T14:30:00Z"];

/** What each picture shows: the size of the page, its look and its address. */
const PICTURES = [
  { name: "dashboard", width: 1440, height: 860, look: { theme: "dark", palette: "classic" }, query: "?symbols=*&symbol=AAPL&interval=1m" },
  { name: "table", width: 1280, height: 470, look: { theme: "light", palette: "safe" }, query: "?sort=-change_percent" },
  { name: "phone", width: 390, height: 720, look: { theme: "dark", palette: "classic" }, query: "?symbol=MSFT&interval=1m" },
];

module.exports = {
  "the README's pictures": (browser) => withServer(FEED, async (address) => {
    mkdirSync(FOLDER, { recursive: true });
    // An hour and a half of market time passes in some seconds.
    await control(address, { action: "speed", speed: 600 });
    while ((await ask(address, "bars/AAPL?limit=90")).bars.length < 90);
    await control(address, { action: "speed", speed: 5 });
    for (const { name, width, height, look, query } of PICTURES) {
      const page = await open(browser, address, query);
      await page.setViewportSize({ width, height });
      await status(page, "Live");
      await page.evaluate((preferences) => document.querySelector("tp-app").page.look(preferences), { swapped: false, ...look });
      if (query.includes("symbol=")) await page.locator(".trades li").nth(12).waitFor();
      else await row(page, "AAPL").waitFor();
      // The sparklines are drawn once a second.
      await page.waitForTimeout(2500);
      await page.screenshot({ path: `${FOLDER}/${name}.png` });
      noFaults(page, address);
      await page.close();
    }
  }),
};
