// Checks of halts of trading, which come from standard input.

const assert = require("node:assert/strict");
const { cell, open, reads, withServer } = require("./page.cjs");

module.exports = {
  "a halted symbol is marked with its reason until trading goes on": (browser) =>
    withServer(["--feed", "stdin"], async (address, server) => {
      const feed = (event) => server.stdin.write(`${JSON.stringify(event)}\n`);
      for (const symbol of ["AAPL", "MSFT"]) feed({ type: "trade", symbol, price: 10 });
      feed({ type: "status", symbol: "MSFT", status: "halted" });
      const page = await open(browser, address);
      const halted = (symbol) => cell(page, symbol, "symbol").locator(".halted");
      const title = (symbol) => cell(page, symbol, "symbol").getAttribute("title");

      // The snapshot of MSFT says that it is halted.
      await reads(halted("MSFT"), "halted");
      assert.equal(await title("MSFT"), "Trading is halted");
      await halted("AAPL").waitFor({ state: "hidden" });

      feed({ type: "status", symbol: "AAPL", status: "halted", reason: "volatility" });
      await reads(halted("AAPL"), "halted");
      assert.equal(await title("AAPL"), "Trading is halted: volatility");
      feed({ type: "status", symbol: "AAPL", status: "trading" });
      await halted("AAPL").waitFor({ state: "hidden" });
      assert.equal(await title("AAPL"), "");
      await reads(halted("MSFT"), "halted");
    }),
};
