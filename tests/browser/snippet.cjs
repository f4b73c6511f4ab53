// Checks of the README's snippet.

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { serve, startProxy } = require("./support.cjs");

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

module.exports = {
  async "the README's snippet shows prices on a page from another loopback port"(browser) {
    const { server, address } = serve(["--feed", "simulated"]);
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
    const { server, address } = serve(["--feed", "simulated"]);
    const proxy = await startProxy(await address);
    const pageServer = await serveHtml(snippet(`127.0.0.1:${proxy.port}`));
    try {
      const page = await browser.newPage();
      await page.goto(`http://localhost:${pageServer.address().port}/`);
      await page.waitForFunction(() => /AAPL[^]*MSFT|MSFT[^]*AAPL/.test(document.body.innerText));
      const again = new Promise((resolve) => page.on("websocket", (socket) =>
        socket.once("framereceived", ({ payload }) => resolve({ url: socket.url(), reply: JSON.parse(payload) }))));
      proxy.cut();
      const { url, reply } = await again;
      assert.match(url, /&after=\w+-\d+$/);
      assert.equal(reply.resumed, true);
    } finally {
      pageServer.close();
      proxy.stop();
      server.kill();
    }
  },
};
