// Checks of the plain page, which a program has at `/` that was built without npm.

const assert = require("node:assert/strict");
const { readFileSync, writeFileSync } = require("node:fs");
const { connect } = require("node:net");
const { join } = require("node:path");
const { FOLDER, control, serve, startProxy, withToken } = require("./support.cjs");

/** Waits until the page's status equals this text or matches this pattern. */
async function status(page, text) {
  await page.getByRole("status").filter({ hasText: text }).first().waitFor();
}

/** Waits until the page's notice contains this text. */
async function notice(page, text) {
  await page.getByRole("alert").filter({ hasText: text }).waitFor();
}

/** Records the URLs of the page's WebSockets. */
function socketsOf(page) {
  const urls = [];
  page.on("websocket", (socket) => urls.push(socket.url()));
  return urls;
}

const isStale = (page) => page.evaluate(() => document.body.classList.contains("stale"));

/** Returns the content security policy that the server sends with the plain page. */
function policy() {
  const [, text] = readFileSync("src/server/dashboard.rs", "utf8").match(/const PLAIN_POLICY: &str = "([^"]*)"/);
  return text.replace(/\\\s+/g, "");
}

/** Puts the plain page in place of the dashboard, for all pages of a browser. */
async function usePlainPage(browser) {
  const headers = { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy() };
  const body = readFileSync("src/server/page.html", "utf8");
  await browser.route((url) => url.pathname === "/", (route) => route.fulfill({ headers, body }));
}

const checks = {
  async "prices change on the page, and a relayed message is shown as text"(browser) {
    const { server, address } = serve(["--feed", "simulated"]);
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

  async "the page asks for a token, says that a wrong one is not known, and keeps the right one for its tab"(browser) {
    const { server, address } = serve(withToken('subscribe = ["*"]\nrelay = true'));
    try {
      const page = await browser.newPage();
      const sockets = socketsOf(page);
      await page.clock.install();
      await page.goto(`http://${await address}/`);
      await status(page, /^no access: this server asks for a token$/);
      await page.getByLabel("Token").fill("guess");
      await page.getByRole("button", { name: "Connect" }).click();
      await status(page, /^no access: this token is not known here$/);
      assert.equal(await page.title(), "no access · tickerplant");
      // After a wrong token, the page does not connect again on its own.
      await page.clock.fastForward("10:00");
      assert.equal(sockets.length, 2);

      await page.getByLabel("Token").fill("secret");
      await page.getByLabel("Token").press("Enter");
      await status(page, /^live$/);
      await page.reload();
      await status(page, /^live$/);
      await page.getByLabel("Token (dashboard)").waitFor();
      assert.equal(await page.getByLabel("Message", { exact: true }).isEnabled(), true);
      const stranger = await browser.newPage();
      await stranger.goto(`http://${await address}/`);
      await status(stranger, "this server asks for a token");
      assert.deepEqual(sockets.filter((url) => /secret|guess/.test(url)), []);
    } finally {
      server.kill();
    }
  },

  async "a server without tokens says so to a page that has one"(browser) {
    const { server, address } = serve(["--feed", "simulated"]);
    try {
      const page = await browser.newPage();
      await page.goto(`http://${await address}/?token=old`);
      await status(page, "this token is not known here");
      await notice(page, "this server has no tokens; connect without one");
      await page.getByRole("button", { name: "Connect" }).click();
      await status(page, /^live$/);
      assert.equal(await page.getByLabel("Token").isVisible(), false);
    } finally {
      server.kill();
    }
  },

  async "a token in the address goes into no other URL, and leaves the address"(browser) {
    const { server, address } = serve(withToken('subscribe = ["AAPL", "MS*"]'));
    try {
      const page = await browser.newPage();
      const sockets = socketsOf(page);
      await page.goto(`http://${await address}/?symbols=AAPL,MSFT&token=secret`);
      await status(page, /^live$/);
      assert.equal(page.url(), `http://${await address}/?symbols=AAPL,MSFT`);
      assert.deepEqual(sockets, [`ws://${await address}/ws`]);
    } finally {
      server.kill();
    }
  },

  async "the page says which symbols its token does not allow, and that it allows no messages"(browser) {
    const { server, address } = serve(withToken('subscribe = ["AAPL"]'));
    try {
      const page = await browser.newPage();
      await page.goto(`http://${await address}/?token=secret`);
      await status(page, /^no prices$/);
      await notice(page, "this token does not allow `*`");
      await notice(page, "?symbols=AAPL,MSFT");
      await page.getByText("This token does not allow messages to peers.").waitFor();
      assert.equal(await page.getByLabel("Message", { exact: true }).isDisabled(), true);
      await page.goto(`http://${await address}/?symbols=AAPL,NVDA`);
      await notice(page, "this token does not allow NVDA");
      await page.goto(`http://${await address}/?symbols=AAPL`);
      await status(page, /^live$/);
      assert.equal(await page.getByRole("alert").innerText(), "");
    } finally {
      server.kill();
    }
  },

  async "a relay that is switched off closes the field for messages"(browser) {
    const { server, address } = serve(["--feed", "simulated"], { TICKERPLANT_RELAY__ENABLED: "false" });
    try {
      const page = await browser.newPage();
      await page.goto(`http://${await address}/`);
      await status(page, /^live$/);
      await page.getByLabel("Message", { exact: true }).fill("Hello!");
      await page.getByLabel("Message", { exact: true }).press("Enter");
      await status(page, "this server relays no messages");
      assert.equal(await page.getByLabel("Message", { exact: true }).isDisabled(), true);
    } finally {
      server.kill();
    }
  },

  async "the page is live only while the feed runs"(browser) {
    const { server, address } = serve(["--feed", "replay", "feeds/ticks.csv", "--paused"]);
    try {
      const page = await browser.newPage();
      await page.goto(`http://${await address}/`);
      await status(page, /^paused$/);
      assert.equal(await page.title(), "paused · tickerplant");
      assert.equal(await page.getByText(/live|running/).count(), 0);
      await control(await address, { action: "resume" });
      await status(page, /^live$/);
      await control(await address, { action: "speed", speed: "max" });
      await status(page, /^ended$/);
      assert.equal(await page.title(), "ended · tickerplant");
      assert.equal(await page.getByText(/live|running/).count(), 0);
    } finally {
      server.kill();
    }
  },

  async "the page says why the feed has failed"(browser) {
    const file = join(FOLDER, "bad.csv");
    writeFileSync(file, "time,symbol,price\n2024-01-03T14:30:00Z,AAPL,1\n2024-01-03T14:30:01Z,AAPL,x\n2024-01-03T14:30:02Z,AAPL,3\n");
    const { server, address } = serve(["--feed", "replay", file, "--strict", "--paused", "--speed", "max"]);
    try {
      const page = await browser.newPage();
      await page.goto(`http://${await address}/`);
      await status(page, /^paused$/);
      await control(await address, { action: "resume" });
      await status(page, /^failed: .*`x`/);
      assert.equal(await page.getByText(/live|running/).count(), 0);
    } finally {
      server.kill();
    }
  },

  async "the page says that a feed is stalled, and greys its values"(browser) {
    const { server, address } = serve(["--feed", "stdin"], { TICKERPLANT_FEED__STALLED_AFTER: "1s" });
    try {
      const page = await browser.newPage();
      await page.goto(`http://${await address}/`);
      server.stdin.write('{"type":"trade","symbol":"AAPL","price":1}\n');
      await page.locator("tr", { hasText: "AAPL" }).waitFor();
      await status(page, /^stalled$/);
      assert.equal(await isStale(page), true);
      assert.equal(await page.getByText(/live|running/).count(), 0);
      server.stdin.end();
      await status(page, /^ended$/);
    } finally {
      server.kill();
    }
  },

  async "the page says that a killed server is gone, and comes back to the next one"(browser) {
    const first = serve(["--feed", "simulated"]), second = serve(["--feed", "simulated"]);
    const proxy = await startProxy(await first.address);
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${proxy.port}/`);
      await status(page, /^live$/);
      first.server.kill("SIGKILL");
      await status(page, /^disconnected: /);
      await page.getByText(/, trying again in \d+ s/).waitFor();
      assert.equal(await page.title(), "disconnected · tickerplant");
      assert.equal(await page.getByText(/live|running/).count(), 0);
      assert.equal(await isStale(page), true);
      proxy.to = await second.address;
      await status(page, /^live$/);
      assert.equal(await isStale(page), false);
    } finally {
      proxy.stop();
      first.server.kill();
      second.server.kill();
    }
  },

  async "the page gives up a server that is silent for three heartbeats"(browser) {
    const { server, address } = serve(["--feed", "simulated"]);
    try {
      const page = await browser.newPage();
      await page.clock.install();
      await page.goto(`http://${await address}/`);
      await status(page, /^live$/);
      server.kill("SIGSTOP");
      await page.clock.fastForward(16_000);
      await status(page, /^disconnected: nothing heard for 15 s$/);
    } finally {
      server.kill("SIGKILL");
    }
  },

  async "the page names symbols that the feed has never had, until it has them"(browser) {
    const { server, address } = serve(["--feed", "stdin"]);
    try {
      const page = await browser.newPage();
      await page.goto(`http://${await address}/?symbols=APPL,MSFT`);
      await notice(page, "APPL, MSFT: this feed has had no such symbol");
      server.stdin.write('{"type":"trade","symbol":"MSFT","price":1}\n');
      await page.getByRole("alert").filter({ hasText: /^APPL: this feed has had no such symbol$/ }).waitFor();
    } finally {
      server.kill();
    }
  },

  async "the page shows what is wrong with its address"(browser) {
    const { server, address } = serve(["--feed", "simulated"]);
    try {
      const page = await browser.newPage();
      await page.goto(`http://${await address}/?symbols=AA%20PL`);
      await status(page, /^no prices$/);
      await notice(page, 'symbol "AA PL" has a space');
      await page.goto(`http://${await address}/?interval_ms=soon`);
      await status(page, /^live$/);
      await notice(page, "interval_ms");
      await page.goto(`http://${await address}/?symbol=AAPL`);
      await notice(page, 'This page has no parameter "symbol"');
    } finally {
      server.kill();
    }
  },

  async "the page says why the server refuses its WebSocket: the origin"(browser) {
    const { server, address } = serve(["--feed", "simulated"]);
    // This proxy replaces the Host header by the server's address. So the page's origin differs from the
    // host.
    const proxy = await startProxy(await address,
      (data) => Buffer.from(data.toString("latin1").replace(/^Host: .*$/m, `Host: ${proxy.to}`), "latin1"));
    try {
      const page = await browser.newPage();
      await page.goto(`http://ticks.example:${proxy.port}/`);
      await status(page, `disconnected: pages of "http://ticks.example:${proxy.port}" may not connect`);
      await status(page, "server.allowed_origins");
    } finally {
      proxy.stop();
      server.kill();
    }
  },

  async "the page says why the server refuses its WebSocket: the server is full"(browser) {
    const roomy = serve(["--feed", "simulated"]);
    const full = serve(["--feed", "simulated"], { TICKERPLANT_LIMITS__CONNECTIONS: "1" });
    const proxy = await startProxy(await roomy.address);
    const [host, port] = (await full.address).split(":");
    const other = connect(Number(port), host);
    try {
      other.write(`GET /ws HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
      await new Promise((resolve) => other.once("data", resolve));
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${proxy.port}/`);
      await status(page, /^live$/);
      proxy.to = await full.address;
      proxy.cut();
      await status(page, "disconnected: the server has no room for more connections");
      other.destroy();
      await status(page, /^live$/);
    } finally {
      other.destroy();
      proxy.stop();
      roomy.server.kill();
      full.server.kill();
    }
  },

  async "the page resumes after a close with a cursor"(browser) {
    const { server, address } = serve(["--feed", "simulated"]);
    try {
      const page = await browser.newPage();
      const replies = [];
      let closeNow = true;
      await page.routeWebSocket(/./, (socket) => {
        let epoch;
        socket.connectToServer().onMessage((text) => {
          const frame = JSON.parse(text);
          epoch = frame.epoch ?? epoch;
          if (frame.type === "subscribed") replies.push(frame);
          socket.send(text);
          if (closeNow && frame.type === "quote") {
            closeNow = false;
            socket.close({ code: 4008, reason: `${epoch}-${frame.seq}` });
          }
        });
      });
      await page.goto(`http://${await address}/`);
      await status(page, "disconnected: this page read too slowly");
      await status(page, /^live$/);
      assert.deepEqual(replies.map(({ resumed }) => resumed), [false, true]);
    } finally {
      server.kill();
    }
  },
};

for (const [name, check] of Object.entries(checks)) {
  module.exports[`plain page: ${name}`] = async (browser) => {
    await usePlainPage(browser);
    await check(browser);
  };
}
