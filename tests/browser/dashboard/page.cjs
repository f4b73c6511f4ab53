// The dashboard as a person uses it, for the checks.

const assert = require("node:assert/strict");
const { serve } = require("../support.cjs");

/** A replay that waits for commands. After 300 events, each of its three symbols has trades and quotes. */
const PAUSED = ["--feed", "replay", "feeds/ticks.csv", "--paused"];

/** Starts a server, runs a check with its address, and ends the server. */
async function withServer(flags, check, env = {}) {
  const { server, address } = serve(flags, env);
  try {
    await check(await address, server);
  } finally {
    server.kill("SIGKILL");
  }
}

/** Opens the dashboard. Faults of its scripts and of its security policy fail the check in `noFaults`. */
async function open(browser, address, query = "") {
  const page = await browser.newPage();
  page.faults = [];
  page.sockets = [];
  page.hosts = new Set();
  page.on("pageerror", (error) => page.faults.push(error.stack));
  page.on("dialog", (dialog) => page.faults.push(dialog.message()));
  page.on("request", (request) => page.hosts.add(new URL(request.url()).host));
  page.on("console", (line) => {
    // The browser writes an error about each broken connection.
    if (line.type() === "error" && !/Failed to load|WebSocket connection|net::ERR/.test(line.text())) page.faults.push(line.text());
  });
  page.on("websocket", (socket) => {
    const seen = { url: socket.url(), sent: [], received: [] };
    page.sockets.push(seen);
    // A message to peers may be any text.
    socket.on("framesent", ({ payload }) => payload.startsWith("{") && seen.sent.push(JSON.parse(payload)));
    socket.on("framereceived", ({ payload }) => seen.received.push(JSON.parse(payload)));
  });
  await page.goto(`http://${address}/${query}`);
  return page;
}

function noFaults(page, address) {
  assert.deepEqual(page.faults, []);
  assert.deepEqual([...page.hosts], [address]);
}

/** Waits until the state of the connection has this text, or matches this pattern. Blanks at its begin do not count. */
async function status(page, text) {
  const pattern = text instanceof RegExp ? new RegExp(text.source.replace(/^\^/, "^\\s*")) : text;
  await page.locator(".connection", { hasText: pattern }).waitFor();
}

const row = (page, symbol) => page.locator(`.row[data-symbol="${symbol}"]`);
const cell = (page, symbol, column) => row(page, symbol).locator(`.${column}`);

/** Waits until a locator has exactly this text. */
async function reads(locator, text) {
  await locator.filter({ hasText: new RegExp(`^\\s*${text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\s*$`) }).waitFor();
}

/** Returns the symbols of the rows in view, from top to bottom. */
const symbols = (page) => page.locator(".row").evaluateAll((rows) => rows
  .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((one) => one.dataset.symbol));

/** Waits until the rows have these symbols in this order. */
async function shows(page, expected) {
  await page.waitForFunction((wanted) => [...document.querySelectorAll(".row")]
    .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex).map((one) => one.dataset.symbol).join() === wanted, expected.join());
}

/** Returns the price as the page writes it, with its thousands separated. */
const price = (number, decimals = 2) => number.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });

module.exports = { PAUSED, cell, noFaults, open, price, reads, row, shows, status, symbols, withServer };
