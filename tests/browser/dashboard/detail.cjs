// Checks of the opened symbol: its chart, its trades, and its connection.

const assert = require("node:assert/strict");
const { ask, control } = require("../support.cjs");
const { PAUSED, noFaults, open, price, reads, row, status, withServer } = require("./page.cjs");

const value = (page, name) => page.locator(`.legend [data-value="${name}"]`);

/** Waits until the legend of the chart has the values of the server's newest bar. */
async function isRight(page, address, symbol, interval) {
  const { bars } = await ask(address, `bars/${symbol}?interval=${interval}&limit=1`);
  for (const name of ["open", "high", "low", "close"]) await reads(value(page, name), price(bars[0][name]));
  return bars[0];
}

/** Waits until the list of trades has the newest trades of the server, each once and the newest first. */
async function hasNewestTrades(page, address, symbol) {
  const { events } = await ask(address, `events?symbols=${symbol}&channels=trades&limit=10000`);
  const newest = events.slice(-60).reverse();
  assert.ok(newest.length > 1);
  for (const [name, texts] of [
    ["price", newest.map((trade) => price(trade.price))],
    ["size", newest.map((trade) => trade.size.toLocaleString("en-US"))],
  ]) await page.waitForFunction(({ name, texts }) => {
    const shown = [...document.querySelectorAll(`.trades li:not([hidden]) .${name}`)].map((cell) => cell.textContent);
    return JSON.stringify(shown) === JSON.stringify(texts);
  }, { name, texts });
}

module.exports = {
  "a symbol opens beside the table on a connection of its own, follows, and is closed by Esc": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await open(browser, address);
    await row(page, "AAPL").waitFor();
    await page.getByRole("grid").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    // There are few minutes, so the chart begins with seconds.
    await isRight(page, address, "AAPL", "1s");
    await page.waitForURL(/symbol=AAPL/);
    await hasNewestTrades(page, address, "AAPL");
    const [table, detail] = page.sockets.map(({ sent }) => sent.find(({ action }) => action === "subscribe"));
    assert.deepEqual([table.symbols, table.interval_ms], [["*"], 250]);
    assert.deepEqual([detail.symbols, detail.interval_ms ?? 0], [["AAPL"], 0]);

    await control(address, { action: "step", events: 300 });
    await isRight(page, address, "AAPL", "1s");
    await hasNewestTrades(page, address, "AAPL");

    await page.getByRole("button", { name: "1m", exact: true }).click();
    await isRight(page, address, "AAPL", "1m");
    await page.waitForURL(/interval=1m/);
    await page.keyboard.press("Escape");
    await page.locator("tp-detail").waitFor({ state: "detached" });
    await page.waitForURL((url) => !url.searchParams.has("symbol"));
    noFaults(page, address);
  }),

  "all files of the dashboard together have at most 120 KB, compressed": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await browser.newPage();
    const sizes = [];
    page.on("requestfinished", async (request) => {
      if (!/api/.test(request.url())) sizes.push(request.sizes());
    });
    await page.goto(`http://${address}/?symbols=*&symbol=AAPL`);
    await page.locator(".legend b").first().waitFor();
    await page.locator(".chart canvas").first().waitFor();
    const total = (await Promise.all(sizes)).reduce((sum, { responseBodySize }) => sum + responseBodySize, 0);
    assert.ok(total > 30_000 && total <= 120_000, String(total));
  }),

  "a symbol has a page of its own": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await open(browser, address, "?symbol=MSFT&interval=5m");
    await isRight(page, address, "MSFT", "5m");
    assert.equal(await page.getByRole("grid").count(), 0);
    assert.equal(page.sockets.length, 1);
    await page.getByRole("link", { name: "All symbols" }).click();
    await row(page, "NVDA").waitFor();
    noFaults(page, address);
  }),

  "the chart follows a running feed, bar by bar": (browser) => withServer(["--feed", "replay", "feeds/ticks.csv", "--speed", "10"], async (address) => {
    const page = await open(browser, address, "?symbols=*&symbol=AAPL&interval=1s");
    const time = page.locator(".legend time");
    await time.waitFor();
    const first = await time.innerText();
    await page.waitForFunction((before) => document.querySelector(".legend time").textContent > before, first);
    await control(address, { action: "speed", speed: "max" });
    await status(page, "Ended");
    const bar = await isRight(page, address, "AAPL", "1s");
    await reads(value(page, "volume"), bar.volume.toLocaleString("en-US"));
    noFaults(page, address);
  }),

  "a symbol without trades has no list of trades": (browser) => withServer(["--feed", "replay", "feeds/bars-1m.csv", "--paused"], async (address) => {
    await control(address, { action: "step", events: 20 });
    const page = await open(browser, address, "?symbols=*&symbol=AAPL");
    // There are few minutes, but the feed has nothing shorter, so the chart does not begin with seconds.
    const { bars } = await ask(address, "bars/AAPL?interval=1m&limit=1");
    await reads(page.locator('.legend [data-value="close"]'), price(bars[0].close));
    assert.equal(await page.getByRole("button", { name: "1m", exact: true }).getAttribute("aria-pressed"), "true");
    assert.equal(await page.getByRole("list", { name: "Last trades" }).isVisible(), false);
    noFaults(page, address);
  }),
};
