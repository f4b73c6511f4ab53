// Checks that a browser's EventSource misses nothing.

const assert = require("node:assert/strict");
const { serve, startProxy } = require("./support.cjs");

/** The number of events after which the connection is cut, each time. */
const CUT_AFTER = [1, 40, 41];

module.exports = {
  async "an EventSource whose connection is cut gets every event once"(browser) {
    const { server, address } = serve(["--feed", "simulated"]);
    const proxy = await startProxy(await address);
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${proxy.port}/`);
      await page.evaluate(() => {
        window.events = [];
        window.opened = 0;
        const source = new EventSource("/sse?symbols=*&delivery=every");
        source.onopen = () => { window.opened += 1; };
        const add = (event) => window.events.push([JSON.parse(event.data).seq, event.lastEventId]);
        ["trade", "quote"].forEach((name) => source.addEventListener(name, add));
      });
      const wait = (count, opened) => page.waitForFunction(
        ([count, opened]) => window.events.length >= count && window.opened >= opened, [count, opened]);
      for (const [cuts, count] of CUT_AFTER.entries()) {
        await wait(count, cuts + 1);
        proxy.cut();
      }
      await wait(200, CUT_AFTER.length + 1);
      const events = await page.evaluate(() => window.events);
      const first = events[0][0];
      events.forEach(([seq, id], index) => {
        assert.equal(seq, first + index);
        assert.match(id, new RegExp(`^\\w+-${seq}$`));
      });
    } finally {
      proxy.stop();
      server.kill();
    }
  },
};
