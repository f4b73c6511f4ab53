// Checks of the connection: how the page loses it, says so, and comes back.

const assert = require("node:assert/strict");
const { serve, startProxy, withToken } = require("../support.cjs");
const { cell, noFaults, open, row, status, withServer } = require("./page.cjs");

const isStale = (page) => page.evaluate(() => document.body.dataset.stale);

module.exports = {
  "a wrong token is said so, and the right one stays for the session": (browser) => withServer(withToken('subscribe = ["*"]\nrelay = true\ncontrol = true'), async (address) => {
    const page = await open(browser, address);
    await page.getByRole("heading", { name: "This server asks for a token" }).waitFor();
    await page.getByLabel("Token").fill("guess");
    await page.getByRole("button", { name: "Connect", exact: true }).click();
    await page.getByRole("heading", { name: "The server does not take this token" }).waitFor();
    await page.getByText("the server does not know this token").first().waitFor();
    await page.getByLabel("Token").fill("secret");
    await page.getByLabel("Token").press("Enter");
    await status(page, "Live");
    await page.reload();
    await status(page, "Live");
    assert.equal(await page.evaluate(() => localStorage.length === 0 || !JSON.stringify({ ...localStorage }).includes("secret")), true);
    assert.deepEqual(page.sockets.filter(({ url }) => /secret|guess/.test(url)), []);
    noFaults(page, address);
  }),

  "a cut connection resumes, and no event is lost": (browser) => withServer(["--feed", "simulated", "--rate", "200"], async (address) => {
    const proxy = await startProxy(address);
    try {
      const page = await open(browser, `127.0.0.1:${proxy.port}`, "?symbol=AAPL");
      await status(page, "Live");
      for (let cuts = 1; cuts <= 3; cuts += 1) {
        const opened = page.waitForEvent("websocket");
        proxy.cut();
        await (await opened).waitForEvent("framereceived", ({ payload }) => payload.includes('"type":"trade"'));
      }
      await status(page, "Live");
      const frames = page.sockets.flatMap(({ received }) => received);
      const seqs = frames.filter(({ type }) => ["trade", "quote"].includes(type)).map(({ seq }) => seq);
      const sent = await (await fetch(`http://${address}/api/v1/events?symbols=AAPL&limit=10000`)).json();
      const expected = sent.events.map(({ seq }) => seq).filter((seq) => seq >= seqs[0] && seq <= seqs.at(-1));
      assert.deepEqual(seqs, expected);
      assert.ok(frames.filter(({ resumed }) => resumed).length >= 3);
      noFaults(page, `127.0.0.1:${proxy.port}`);
    } finally {
      proxy.stop();
    }
  }),

  "a killed server is said so, old prices are dimmed, and the page comes back to the next server": async (browser) => {
    const first = serve(["--feed", "simulated"]), second = serve(["--feed", "simulated"]);
    const proxy = await startProxy(await first.address);
    try {
      const page = await open(browser, `127.0.0.1:${proxy.port}`);
      await status(page, "Live");
      first.server.kill("SIGKILL");
      await status(page, /^Reconnecting in \d+ s/);
      assert.equal(await isStale(page), "true");
      assert.match(await page.title(), /^Reconnecting/);
      proxy.to = await second.address;
      await status(page, "Live");
      assert.equal(await isStale(page), "false");
      const before = await cell(page, "AAPL", "last").innerText();
      await page.waitForFunction((text) => document.querySelector('.row[data-symbol="AAPL"] .last').textContent !== text, before);
      noFaults(page, `127.0.0.1:${proxy.port}`);
    } finally {
      proxy.stop();
      first.server.kill("SIGKILL");
      second.server.kill("SIGKILL");
    }
  },

  "prices come by Server-Sent Events where there are no WebSockets": (browser) => withServer(["--feed", "simulated"], async (address) => {
    const proxy = await startProxy(address, (data) => Buffer.from(data.toString("latin1").replace(/^Upgrade: websocket\r\n/m, ""), "latin1"));
    try {
      const page = await open(browser, `127.0.0.1:${proxy.port}`);
      await page.locator('[data-value="transport"]', { hasText: "Server-Sent Events" }).waitFor();
      await status(page, "Live");
      const before = await cell(page, "AAPL", "last").innerText();
      await page.waitForFunction((text) => document.querySelector('.row[data-symbol="AAPL"] .last').textContent !== text, before);
      noFaults(page, `127.0.0.1:${proxy.port}`);
    } finally {
      proxy.stop();
    }
  }),

  "a stalled feed is said so, and its prices are dimmed": (browser) => withServer(["--feed", "stdin"], async (address, server) => {
    const page = await open(browser, address);
    server.stdin.write('{"type":"trade","symbol":"AAPL","price":1}\n');
    await row(page, "AAPL").waitFor();
    await status(page, "Feed stalled");
    assert.equal(await isStale(page), "true");
  }, { TICKERPLANT_FEED__STALLED_AFTER: "1s" }),

  "a page that the server refuses shows the server's own words": (browser) => withServer(withToken('subscribe = ["AAPL"]'), async (address) => {
    const page = await open(browser, address, "?token=secret");
    await status(page, "Refused");
    await page.getByText("this token does not allow `*`").first().waitFor();
    await page.goto(`http://${address}/?symbols=AAPL`);
    await status(page, "Live");
  }),
};
