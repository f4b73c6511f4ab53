// Checks of the feed bar.

const assert = require("node:assert/strict");
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { FOLDER, ask, control, withToken } = require("../support.cjs");
const { PAUSED, noFaults, open, price, reads, row, status, withServer } = require("./page.cjs");

/** Waits until the status of the feed passes a test. */
async function until(address, test) {
  for (;;) {
    const report = await ask(address, "feed");
    if (test(report)) return report;
  }
}

module.exports = {
  "the bar pauses, steps, changes the speed and seeks, and the chart is right afterwards": (browser) => withServer(["--feed", "replay", "feeds/ticks.csv"], async (address) => {
    const page = await open(browser, address, "?symbols=*&symbol=AAPL&interval=1s");
    await status(page, "Live");
    await page.getByRole("button", { name: "Pause" }).click();
    await status(page, "Paused");
    const { events } = await until(address, ({ state }) => state === "paused");
    await page.getByRole("button", { name: "Step" }).click();
    await until(address, (report) => report.events === events + 1);
    await page.getByRole("button", { name: "60×" }).click();
    await until(address, ({ speed }) => speed === 60);

    // Forwards, back, and forwards by the scrubber. The chart library refuses older data, so each seek draws it anew.
    for (const time of ["2024-01-03T14:31:30Z", "2024-01-03T14:30:20Z"]) {
      await page.getByLabel("Jump to a time").fill(time);
      await page.getByLabel("Jump to a time").press("Enter");
      await until(address, ({ position }) => Math.abs(Date.parse(position) - Date.parse(time)) < 1000);
      await control(address, { action: "step", events: 60 });
      const { bars } = await ask(address, "bars/AAPL?interval=1s&limit=1");
      for (const name of ["open", "high", "low", "close"]) await reads(page.locator(`.legend [data-value="${name}"]`), price(bars[0][name]));
    }
    const scrubber = page.getByLabel("Market time", { exact: true });
    const { first, last } = await ask(address, "feed");
    const half = Math.round((Date.parse(first) + Date.parse(last)) / 2);
    const box = await scrubber.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const preview = await page.locator(".preview").innerText();
    assert.ok(Math.abs(Date.parse(preview.replace(" ", "T") + "Z") - half) < 3000, preview);
    await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    await until(address, ({ position }) => Math.abs(Date.parse(position) - half) < 3000);
    await page.getByRole("button", { name: "Play" }).click();
    await status(page, "Live");
    noFaults(page, address);
  }),

  "a time that the server does not take is said in the server's words": (browser) => withServer(PAUSED, async (address) => {
    const page = await open(browser, address);
    await status(page, "Paused");
    await page.getByLabel("Jump to a time").fill("noon");
    await page.getByLabel("Jump to a time").press("Enter");
    await page.getByRole("alert").filter({ hasText: "`noon` is not a time" }).waitFor();
  }),

  "in a later lap of a loop, the scrubber is where the feed is in its file": (browser) => withServer([...PAUSED, "--loop"], async (address) => {
    const page = await open(browser, address);
    await status(page, "Paused");
    const { rows } = await ask(address, "feed");
    await control(address, { action: "step", events: rows + 600 });
    // The feed tells the place in the file. The clock shows the market time, which is a day later.
    const { first, last, position } = await ask(address, "feed");
    const [from, to, at] = [first, last, position].map((time) => Date.parse(time));
    const later = new Date(at + 86_400_000).toISOString().slice(0, 19).replace("T", " ");
    await page.waitForFunction((text) => document.querySelector(".clock").textContent.startsWith(text), later);
    const place = await page.getByLabel("Market time", { exact: true }).evaluate(({ value, min, max }) => (value - min) / (max - min));
    assert.ok(Math.abs(place - (at - from) / (to - from)) < 0.01, String(place));
    noFaults(page, address);
  }),

  "loop is switched on and off": (browser) => withServer(PAUSED, async (address) => {
    const page = await open(browser, address);
    await page.getByLabel("Loop").check();
    await until(address, ({ loop }) => loop);
    await page.getByLabel("Loop").uncheck();
    await until(address, ({ loop }) => !loop);
  }),

  "space pauses the feed": (browser) => withServer(["--feed", "simulated"], async (address) => {
    const page = await open(browser, address);
    await status(page, "Live");
    await page.keyboard.press("Space");
    await status(page, "Paused");
    await page.keyboard.press("Space");
    await status(page, "Live");
  }),

  "controls that the feed does not have are grey, with the reason": (browser) => withServer(["--feed", "stdin"], async (address, server) => {
    const page = await open(browser, address);
    server.stdin.write('{"type":"trade","symbol":"AAPL","price":1}\n');
    await row(page, "AAPL").waitFor();
    assert.equal(await page.getByRole("button", { name: "Pause" }).isDisabled(), true);
    await page.locator("tp-feed-bar").getByText("nobody can control them").waitFor();
    server.stdin.end();
    await status(page, "Ended");
  }),

  "a token without control greys the controls": (browser) => withServer(withToken('subscribe = ["*"]'), async (address) => {
    const page = await open(browser, address, "?token=secret");
    await status(page, "Live");
    await page.locator("tp-feed-bar").getByText("This token does not allow control of the feed.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Pause" }).isDisabled(), true);
    assert.doesNotMatch(page.url(), /secret/);
  }),

  "a failed feed says why": async (browser) => {
    const file = join(FOLDER, "bad-dashboard.csv");
    writeFileSync(file, "time,symbol,price\n2024-01-03T14:30:00Z,AAPL,1\n2024-01-03T14:30:01Z,AAPL,x\n");
    await withServer(["--feed", "replay", file, "--strict", "--paused", "--speed", "max"], async (address) => {
      const page = await open(browser, address);
      await status(page, "Paused");
      await control(address, { action: "resume" });
      await status(page, /^Feed failed.*`x`/);
    });
  },
};
