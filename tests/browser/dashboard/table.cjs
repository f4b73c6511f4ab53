// Checks of the dashboard's table and watchlists.

const assert = require("node:assert/strict");
const { ask, control } = require("../support.cjs");
const { PAUSED, cell, noFaults, open, price, reads, row, shows, status, withServer } = require("./page.cjs");

module.exports = {
  "the table shows the values of the server, and follows them": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await open(browser, address);
    await status(page, "Paused");
    const matches = async () => {
      const { snapshots } = await ask(address, "snapshots?symbols=*");
      for (const [symbol, { day, quote }] of Object.entries(snapshots)) {
        await reads(cell(page, symbol, "last"), price(day.last));
        await reads(cell(page, symbol, "low"), price(day.low));
        await reads(cell(page, symbol, "high"), price(day.high));
        await reads(cell(page, symbol, "spread"), price(quote.ask - quote.bid));
        assert.equal(await cell(page, symbol, "volume").getAttribute("title"), day.volume.toLocaleString("en-US"));
        assert.match(await cell(page, symbol, "change_percent").innerText(),
          new RegExp(`${day.change < 0 ? "▼" : "▲"}\\s*[+−]${Math.abs(day.change_percent).toFixed(2)}%`));
        assert.match(await cell(page, symbol, "bid").innerText(), new RegExp(`^${price(quote.bid)}\\s*× ${quote.bid_size.toLocaleString("en-US")}$`));
      }
    };
    await matches();
    await control(address, { action: "step", events: 200 });
    await matches();
    noFaults(page, address);
  }),

  "prices move after opening": (browser) => withServer(["--feed", "simulated"], async (address) => {
    const page = await open(browser, address);
    await status(page, "Live");
    const last = cell(page, "AAPL", "last");
    const before = await last.innerText();
    await page.waitForFunction((text) => document.querySelector('.row[data-symbol="AAPL"] .last').textContent !== text, before);
    const sent = page.sockets[0].received.filter(({ symbol, type }) => symbol === "AAPL" && type === "trade");
    const shown = (await last.innerText()).trim();
    assert.ok(sent.some((trade) => price(trade.price) === shown), shown);
    noFaults(page, address);
  }),

  "a click on a header sorts the table, turns the order around, and is in the address": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await open(browser, address);
    const { symbols } = await ask(address, "symbols");
    const byLast = symbols.sort((a, b) => b.last - a.last).map(({ symbol }) => symbol);
    const header = page.getByRole("columnheader", { name: "Last", exact: true });
    await header.getByRole("button").click();
    await shows(page, byLast);
    assert.equal(await header.getAttribute("aria-sort"), "descending");
    await page.waitForURL(/sort=-last/);
    await header.getByRole("button").click();
    await shows(page, [...byLast].reverse());
    assert.equal(await header.getAttribute("aria-sort"), "ascending");
    await page.reload();
    await shows(page, [...byLast].reverse());
    noFaults(page, address);
  }),

  "the keys sort the table, turn the order around, and show the sheet": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await open(browser, address);
    await shows(page, ["AAPL", "MSFT", "NVDA"]);
    await page.keyboard.press("s");
    await page.keyboard.press("S");
    await shows(page, ["NVDA", "MSFT", "AAPL"]);
    await page.keyboard.press("s");
    await page.waitForURL(/sort=-last/);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    noFaults(page, address);
  }),

  "the filter shows the symbols that contain a text": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await open(browser, address);
    await row(page, "AAPL").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("ms");
    await shows(page, ["MSFT"]);
    await page.keyboard.press("Control+A");
    await page.keyboard.press("Delete");
    await shows(page, ["AAPL", "MSFT", "NVDA"]);
  }),

  "a watchlist is made, filled, ordered and emptied, and is in the address and in the browser": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await open(browser, address);
    await status(page, "Paused");
    await page.getByRole("button", { name: "New list" }).click();
    await page.getByLabel("Add a symbol").focus();
    await page.waitForFunction(() => [...document.querySelectorAll("#known-symbols option")].map(({ value }) => value).join() === "AAPL,MSFT,NVDA");
    for (const symbol of ["NVDA", "AAPL", "MSFT"]) {
      await page.getByLabel("Add a symbol").fill(symbol.toLowerCase());
      await page.getByLabel("Add a symbol").press("Enter");
    }
    await shows(page, ["NVDA", "AAPL", "MSFT"]);
    await page.waitForURL((url) => url.search === "?symbols=NVDA,AAPL,MSFT");
    await reads(cell(page, "MSFT", "last"), price((await ask(address, "snapshots?symbols=MSFT")).snapshots.MSFT.day.last));

    await page.getByRole("grid").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Alt+ArrowDown");
    await shows(page, ["AAPL", "NVDA", "MSFT"]);
    await row(page, "MSFT").dragTo(row(page, "AAPL"));
    await shows(page, ["MSFT", "AAPL", "NVDA"]);
    await page.keyboard.press("x");
    await shows(page, ["MSFT", "AAPL"]);
    await page.goto(`http://${address}/`);
    await shows(page, ["MSFT", "AAPL"]);
    await page.getByRole("button", { name: "Delete" }).click();
    await shows(page, ["AAPL", "MSFT", "NVDA"]);

    const other = await open(browser, address, "?symbols=MSFT,NVDA");
    await shows(other, ["MSFT", "NVDA"]);
    noFaults(other, address);
    noFaults(page, address);
  }),

  "columns without data are hidden, and an unknown symbol is named": (browser) => withServer(["--feed", "stdin"], async (address, server) => {
    server.stdin.write('{"type":"bar","symbol":"AAPL","close":1234.5,"high":1240,"low":1230}\n');
    const page = await open(browser, address, "?symbols=AAPL,APPL");
    await reads(cell(page, "AAPL", "last"), "1,234.50");
    await page.getByRole("alert").filter({ hasText: "APPL: this feed has had no such symbol" }).waitFor();
    const headers = await page.getByRole("columnheader").allInnerTexts();
    assert.deepEqual(headers.map((text) => text.trim()), ["Symbol", "Last", "Change", "Change %", "Day range", "Last hour", "Age"]);
    noFaults(page, address);
  }),

  "five thousand symbols have only the rows in view": (browser) => withServer(["--feed", "simulated", "--symbols", "5000", "--rate", "2000"], async (address) => {
    const page = await open(browser, address);
    await page.waitForFunction(() => Number(document.querySelector("[role=grid]").getAttribute("aria-rowcount")) === 5001);
    assert.ok(await page.locator(".row").count() < 60);
    await page.locator(".scroller").evaluate((scroller) => { scroller.scrollTop = scroller.scrollHeight; });
    await page.locator('.row[aria-rowindex="5001"]').waitFor();
    assert.ok(await page.locator(".row").count() < 60);
    noFaults(page, address);
  }),

  "the page says what is wrong with its address": (browser) => withServer(PAUSED, async (address) => {
    const page = await open(browser, address, "?colour=red");
    await page.getByRole("alert").filter({ hasText: 'This page has no parameter "colour"' }).waitFor();
    await page.getByRole("button", { name: "Dismiss" }).click();
    await page.locator(".notices p").waitFor({ state: "detached" });
    await page.goto(`http://${address}/?symbols=AA%20PL`);
    await status(page, "Refused");
    await page.getByText('symbol "AA PL" has a space').first().waitFor();
  }),
};
