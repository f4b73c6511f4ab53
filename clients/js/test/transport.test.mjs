// How the client finds a way to the server, and notices that a connection is dead.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clientFor, had, next, proxyFor, range, reaches, seqs, serverFor, updates } from "./clients.mjs";
import { PAUSED } from "./servers.mjs";

const QUICK = { TICKERPLANT_SESSION__HEARTBEAT: "100ms" };

for (const upgrades of ["refuse", "swallow", "mute"]) {
  test(`where WebSockets do not get through, the frames come as Server-Sent Events (${upgrades})`, async (t) => {
    const server = await serverFor(t, PAUSED, QUICK);
    const proxy = await proxyFor(t, server);
    proxy.upgrades = upgrades;
    const client = clientFor(t, proxy.url, { symbols: ["*"], delivery: "every" });

    const { transport } = await reaches(client, "live");
    assert.equal(transport, "sse");
    await client.control({ action: "step", events: 50 });
    await updates(client, 50);
    proxy.cut();
    await reaches(client, "reconnecting");
    await reaches(client, "live");
    await client.control({ action: "step", events: 50 });
    await updates(client, 100);
    assert.deepEqual(seqs(client), range(1, 100));

    proxy.upgrades = "pass";
    client.reconnect();
    await next(client, "state", (state) => state.transport === "websocket");
    await reaches(client, "live");
  });
}

test("a client that shall use a WebSocket says why there is none", async (t) => {
  const server = await serverFor(t, PAUSED);
  const proxy = await proxyFor(t, server);
  proxy.upgrades = "refuse";
  const client = clientFor(t, proxy.url, { symbols: ["*"], transport: "websocket" });

  assert.match((await reaches(client, "reconnecting")).reason, /the server answers, but not by WebSocket/);
});

test("without a WebSocket in this version of Node, the frames come as Server-Sent Events", async (t) => {
  const server = await serverFor(t, PAUSED);
  const { WebSocket } = globalThis;
  delete globalThis.WebSocket;
  t.after(() => WebSocket && (globalThis.WebSocket = WebSocket));
  const client = clientFor(t, server.url, { symbols: ["*"], WebSocket: undefined });

  assert.equal((await reaches(client, "live")).transport, "sse");
  assert.throws(() => client.send("Hello!"), /no WebSocket/);
});

for (const transport of ["websocket", "sse"]) {
  test(`a connection that falls silent is stale, and is replaced without a loss (${transport})`, async (t) => {
    const server = await serverFor(t, PAUSED, QUICK);
    const proxy = await proxyFor(t, server);
    const client = clientFor(t, proxy.url, { symbols: ["*"], transport });
    await reaches(client, "live");
    await client.control({ action: "step", events: 20 });
    await updates(client, 20);

    proxy.swallow();
    const control = clientFor(t, server.url);
    await control.control({ action: "step", events: 20 });
    await reaches(client, "stale");
    assert.match((await reaches(client, "reconnecting")).reason, /no sign of life/);
    await reaches(client, "live");
    await updates(client, 40);

    assert.deepEqual(seqs(client), range(1, 40));
    assert.deepEqual(had(client, "gap"), []);
  });
}

test("a server that hangs is no reason to do without WebSockets", async (t) => {
  const { timeout } = AbortSignal;
  t.mock.method(AbortSignal, "timeout", () => timeout.call(AbortSignal, 300));
  const server = await serverFor(t, PAUSED, QUICK);
  const proxy = await proxyFor(t, server);
  const client = clientFor(t, proxy.url, { symbols: ["*"] });
  await reaches(client, "live");

  proxy.hangs = true;
  proxy.cut();
  await next(client, "state", ({ state, attempt }) => state === "reconnecting" && attempt === 2);
  proxy.hangs = false;

  assert.equal((await reaches(client, "live")).transport, "websocket");
});

for (const [event, what] of [["online", "the device is online"], ["visibilitychange", "the page is shown"]]) {
  test(`a client that waits connects at once when ${what}`, async (t) => {
    const page = Object.assign(new EventTarget(), { visibilityState: "hidden" });
    const window = new EventTarget();
    globalThis.document = page;
    globalThis.addEventListener = window.addEventListener.bind(window);
    globalThis.removeEventListener = window.removeEventListener.bind(window);
    // The wait would be almost six days.
    t.mock.method(Math, "random", () => 1e6);
    t.after(() => {
      delete globalThis.document;
      delete globalThis.addEventListener;
      delete globalThis.removeEventListener;
    });
    const server = await serverFor(t, PAUSED);
    const proxy = await proxyFor(t, server);
    const client = clientFor(t, proxy.url, { symbols: ["*"] });
    await reaches(client, "live");
    proxy.cut();
    const { inMs } = await reaches(client, "reconnecting");
    assert.equal(inMs, 5e8);

    page.visibilityState = "visible";
    (event === "online" ? window : page).dispatchEvent(new Event(event));

    await reaches(client, "live");
  });
}

test("a device without a network is offline, not at fault", async (t) => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const navigator = { onLine: true };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  t.after(() => (before ? Object.defineProperty(globalThis, "navigator", before) : delete globalThis.navigator));
  const server = await serverFor(t, PAUSED);
  const proxy = await proxyFor(t, server);
  const client = clientFor(t, proxy.url, { symbols: ["*"] });
  await reaches(client, "live");

  navigator.onLine = false;
  proxy.cut();

  await reaches(client, "offline");
  await reaches(client, "live");
});

test("a closed client says so, and keeps nothing running", async (t) => {
  const server = await serverFor(t, PAUSED);
  const client = clientFor(t, server.url, { symbols: ["*"] });
  await reaches(client, "live");
  const status = await client.get("feed");
  assert.equal(status.peers, 1);

  client.close();

  assert.deepEqual(client.state, { state: "closed" });
  await assert.rejects(client.subscribe(["AAPL"]), /closed/);
  assert.throws(() => client.send("Hello!"), /no WebSocket/);
});
