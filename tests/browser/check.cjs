// Tests the page and the README's snippet in a browser.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { mkdtempSync, readFileSync, rmSync } = require("node:fs");
const { createServer } = require("node:http");
const { connect, createServer: createProxy } = require("node:net");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { chromium } = require("playwright-core");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

/** Returns the README's snippet with this server's address. */
function snippet(address) {
  return readFileSync("README.md", "utf8").match(/```html\n([\s\S]*?)```/)[1].replaceAll("localhost:8000", address);
}

/** Serves an HTML page on a free port. */
async function serveHtml(html) {
  const pageServer = createServer((_, response) => response.setHeader("content-type", "text/html").end(html));
  await new Promise((resolve) => pageServer.listen(0, "127.0.0.1", resolve));
  return pageServer;
}

/** Starts a server on a free port. Returns its process and a promise of its address. */
function serve(...flags) {
  const server = spawn("target/debug/tickerplant", ["--listen", "127.0.0.1:0", ...flags], { stdio: ["ignore", "ignore", "pipe"] });
  const address = new Promise((resolve, reject) => {
    let log = "";
    server.stderr.on("data", (data) => {
      log += data;
      const found = log.match(/address=(\S+)/);
      if (found) resolve(found[1]);
    });
    server.on("exit", () => reject(new Error(`the server ended: ${log}`)));
  });
  return { server, address };
}

const checks = {
  async "prices change on the page, and a relayed message is shown as text"(browser) {
    const { server, address } = serve("--feed", "simulated");
    try {
      const page = await browser.newPage();
      const faults = [];
      page.on("pageerror", (error) => faults.push(String(error)));
      page.on("console", (line) => line.type() === "error" && faults.push(line.text()));
      page.on("dialog", (dialog) => faults.push(dialog.message()));
      await page.goto(`http://${await address}/`);
      await page.getByText("live", { exact: true }).waitFor();
      const row = page.locator("tr", { hasText: "AAPL" });
      await row.waitFor();
      const before = await row.innerText();
      await page.waitForFunction((text) => [...document.querySelectorAll("tr")].some(
        (tr) => tr.innerText.startsWith("AAPL") && tr.innerText !== text), before);

      const hostile = "<img src=x onerror=alert(1)>";
      await page.getByPlaceholder("Message to everybody").fill(hostile);
      await page.getByRole("button", { name: "Send" }).click();
      await page.getByText(hostile).waitFor();
      assert.equal(await page.locator("img").count(), 0);
      assert.deepEqual(faults, []);
    } finally {
      server.kill();
    }
  },

  async "the README's snippet shows prices on a page from another loopback port"(browser) {
    const { server, address } = serve("--feed", "simulated");
    const pageServer = await serveHtml(snippet(await address));
    try {
      const page = await browser.newPage();
      await page.goto(`http://localhost:${pageServer.address().port}/`);
      await page.waitForFunction(() => /AAPL\s+\d+\.\d+/.test(document.body.innerText));
    } finally {
      pageServer.close();
      server.kill();
    }
  },

  async "the README's snippet resumes with its cursor after its connection is cut"(browser) {
    const { server, address } = serve("--feed", "simulated");
    const [host, port] = (await address).split(":");
    const cuts = new Set();
    const proxy = createProxy((client) => {
      const upstream = connect(Number(port), host);
      for (const socket of [client, upstream]) socket.on("error", () => {});
      client.pipe(upstream).pipe(client);
      cuts.add(() => [client, upstream].forEach((socket) => socket.destroy()));
    });
    await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const pageServer = await serveHtml(snippet(`127.0.0.1:${proxy.address().port}`));
    try {
      const page = await browser.newPage();
      await page.goto(`http://localhost:${pageServer.address().port}/`);
      await page.waitForFunction(() => /AAPL[^]*MSFT|MSFT[^]*AAPL/.test(document.body.innerText));
      const again = new Promise((resolve) => page.on("websocket", (socket) =>
        socket.once("framereceived", ({ payload }) => resolve({ url: socket.url(), reply: JSON.parse(payload) }))));
      cuts.forEach((cut) => cut());
      const { url, reply } = await again;
      assert.match(url, /&after=\w+-\d+$/);
      assert.equal(reply.resumed, true);
    } finally {
      pageServer.close();
      proxy.close();
      server.kill();
    }
  },
};

(async () => {
  const profile = mkdtempSync(join(tmpdir(), "tickerplant-browser-"));
  const browser = await chromium.launchPersistentContext(profile, { executablePath: "/usr/bin/chromium", args: FLAGS });
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(browser);
      console.log(`ok: ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED: ${name}\n${error.stack}`);
    }
  }
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
  console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
})();
