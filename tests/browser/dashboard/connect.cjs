// Checks of the panel "Connect your own": its lines work as they stand.

const assert = require("node:assert/strict");
const { spawn, spawnSync } = require("node:child_process");
const { createServer } = require("node:http");
const { withToken } = require("../support.cjs");
const { noFaults, open, row, status, withServer } = require("./page.cjs");

/** Returns the lines of each snippet, by title. */
async function snippets(page) {
  await page.getByRole("button", { name: "Connect your own" }).click();
  const sections = page.locator("tp-connect section");
  return Object.fromEntries(await sections.evaluateAll((all) => all.map((one) => [one.dataset.title, one.querySelector("code").textContent])));
}

/** The lines that are commands, and how a person runs them. */
const COMMANDS = {
  Python: (lines) => ["python3", "-u", "-c", lines],
  curl: (lines) => ["bash", "-c", `exec ${lines}`],
  websocat: (lines) => ["bash", "-c", `exec ${lines}`],
};

const isInstalled = (program) => spawnSync("bash", ["-c", `command -v ${program}`]).status === 0;

/** Runs a command until it has written something. */
function writes([program, ...options], expected) {
  const child = spawn(program, options, { stdio: ["pipe", "pipe", "pipe"] });
  return new Promise((resolve, reject) => {
    let written = "";
    child.stdout.on("data", (data) => {
      written += data;
      if (expected.test(written)) resolve();
    });
    child.stderr.on("data", (data) => { written += data; });
    child.on("error", reject);
    child.on("exit", () => reject(new Error(`${program} ended: ${written}`)));
  }).finally(() => child.kill());
}

/** Serves an empty page on a free port. */
async function serveEmptyPage() {
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html>"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Runs all lines, until each has shown a trade of this symbol. */
async function run(browser, lines, symbol) {
  assert.deepEqual(Object.keys(lines), ["JavaScript", "Python", "curl", "websocat", "EventSource"]);
  // As Python and JSON write it.
  const name = JSON.stringify(symbol).slice(1, -1).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const trade = new RegExp(`["']type["']: ?["']trade["'], ?["']symbol["']: ?["']${name}["']`);
  for (const [title, command] of Object.entries(COMMANDS)) {
    if (title === "websocat" && !isInstalled(title)) console.log("skipped: websocat is not installed");
    else await writes(command(lines[title]), trade);
  }
  // The other lines run in a page of another origin.
  const other = await serveEmptyPage();
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${other.address().port}/`);
  for (const title of ["JavaScript", "EventSource"]) {
    const seen = page.waitForEvent("console", async (line) => {
      const event = await line.args()[0].jsonValue();
      return event.type === "trade" && event.symbol === symbol;
    });
    await page.addScriptTag({ type: "module", content: lines[title] });
    await seen;
    await page.reload();
  }
  await page.close();
  other.close();
}

module.exports = {
  "the lines for other programs work for the present watchlist": (browser) => withServer(["--feed", "simulated"], async (address) => {
    const page = await open(browser, address, "?symbols=AAPL,MSFT");
    await row(page, "AAPL").waitFor();
    const lines = await snippets(page);
    for (const text of Object.values(lines)) assert.ok(text.includes(address) && /AAPL.*MSFT/.test(text), text);
    await run(browser, lines, "MSFT");
    noFaults(page, address);
  }),

  "the lines work for symbols that an address has to encode": (browser) => withServer(["--feed", "stdin"], async (address, server) => {
    const symbol = "Ü^=+1";
    const ticks = setInterval(() => server.stdin.write(JSON.stringify({ type: "trade", symbol, price: 1 }) + "\n"), 100);
    try {
      const page = await open(browser, address, `?symbols=BRK/B,${encodeURIComponent(symbol)}`);
      await page.locator(".row .last", { hasText: "1.00" }).waitFor();
      await run(browser, await snippets(page), symbol);
    } finally {
      clearInterval(ticks);
    }
  }),

  "the lines are copied, and name the token where the server asks for one": (browser) => withServer(withToken('subscribe = ["*"]'), async (address) => {
    await browser.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = await open(browser, address, "?symbols=AAPL&token=secret");
    await status(page, "Live");
    await row(page, "AAPL").waitFor();
    const lines = await snippets(page);
    for (const text of Object.values(lines)) assert.ok(text.includes("TOKEN") && !text.includes("secret"), text);
    await page.getByRole("button", { name: "Copy the curl lines" }).click();
    await page.getByText("Copied").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), lines.curl);
    const own = Object.entries(lines).map(([title, text]) => [title, text.replace("TOKEN", "secret")]);
    await run(browser, Object.fromEntries(own), "AAPL");
  }),
};
