// Checks of halts of trading, by the contract. The server sends no status yet, so the browser gets the frames from here.

const assert = require("node:assert/strict");
const { ask, control } = require("../support.cjs");
const { PAUSED, row, reads, cell, status, withServer } = require("./page.cjs");

module.exports = {
  "a halted symbol is marked with its reason until trading goes on": (browser) => withServer(PAUSED, async (address) => {
    await control(address, { action: "step", events: 300 });
    const page = await browser.newPage();
    let receive;
    await page.routeWebSocket("**/ws", (socket) => {
      const server = socket.connectToServer();
      receive = (frame) => socket.send(JSON.stringify(frame));
      server.onMessage((text) => {
        // The snapshot of MSFT says that it is halted already.
        const isHalted = text.startsWith('{"type":"snapshot","symbol":"MSFT"');
        socket.send(isHalted ? text.replace(/\}$/, ',"status":"halted"}') : text);
      });
    });
    await page.goto(`http://${address}/`);
    await status(page, "Paused");
    const halted = (symbol) => cell(page, symbol, "symbol").locator(".halted");
    await reads(halted("MSFT"), "halted");
    await halted("AAPL").waitFor({ state: "hidden" });

    const { events } = await ask(address, "feed");
    const frame = { type: "status", symbol: "AAPL", time: "2024-01-03T14:31:00Z" };
    receive({ ...frame, seq: events + 1, status: "halted", reason: "volatility" });
    await reads(halted("AAPL"), "halted");
    assert.equal(await cell(page, "AAPL", "symbol").getAttribute("title"), "Halted: volatility");
    assert.equal(await row(page, "NVDA").locator(".halted").innerText(), "");
    receive({ ...frame, seq: events + 2, status: "trading" });
    await halted("AAPL").waitFor({ state: "hidden" });
    assert.equal(await cell(page, "AAPL", "symbol").getAttribute("title"), "");
  }),
};
