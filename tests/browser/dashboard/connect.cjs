// Checks of the panel "Connect your own": its lines work as they stand.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { createServer } = require("node:http");
const { withToken } = require("../support.cjs");
const { noFaults, open, row, status, withServer } = require("./page.cjs");

/** Returns the lines of each snippet, by title. */
async function snippets(page) {
  await page.getByRole("button", { name: "Connect your own" }).click();
  const sections = page.locator("tp-connect section");
  return Object.fromEntries(await sections.evaluateAll((all) => all.map((one) => [one.dataset.title, one.querySelector("code").textContent])));
}

/** Runs a command line until it has written this text. */
function writes(command, text) {
  const child = spawn("bash", ["-c", `exec ${command}`], { stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((resolve, reject) => {
    let written = "";
    child.stdout.on("data", (data) => {
      written += data;
      if (written.includes(text)) resolve();
    });
    child.on("exit", () => reject(new Error(`the command ended: ${written}`)));
  }).finally(() => child.kill());
}

/** Serves an empty page on a free port. */
async function serveEmptyPage() {
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html>"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

module.exports = {
  "the lines for other programs work for the present watchlist": (browser) => withServer(["--feed", "simulated"], async (address) => {
    const page = await open(browser, address, "?symbols=AAPL,MSFT");
    await row(page, "AAPL").waitFor();
    const lines = await snippets(page);
    assert.deepEqual(Object.keys(lines), ["JavaScript", "Python", "curl", "websocat", "EventSource"]);
    for (const text of Object.values(lines)) assert.ok(text.includes(address) && /AAPL.*MSFT/.test(text), text);
    await writes(lines.curl, '"type":"trade","symbol":"MSFT"');

    // The JavaScript lines and the EventSource run in a page of another origin.
    const other = await serveEmptyPage();
    const stranger = await browser.newPage();
    const logged = [];
    stranger.on("console", (line) => logged.push(line.text()));
    await stranger.goto(`http://127.0.0.1:${other.address().port}/`);
    for (const title of ["JavaScript", "EventSource"]) {
      logged.length = 0;
      const seen = stranger.waitForEvent("console");
      await stranger.addScriptTag({ type: "module", content: lines[title] });
      await seen;
      assert.match(logged[0], /AAPL|MSFT|Object/, title);
    }
    other.close();
    noFaults(page, address);
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
    await writes(lines.curl.replace("TOKEN", "secret"), '"type":"trade","symbol":"AAPL"');
  }),
};
