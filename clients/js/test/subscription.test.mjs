// Subscriptions that change while the client runs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../dist/client.js";
import { clientFor, had, proxyFor, reaches, sees, serverFor, updates } from "./clients.mjs";
import { PAUSED } from "./servers.mjs";

function seqsOf(client, symbol) {
  return had(client, "update").filter((update) => update.symbol === symbol).map(({ seq }) => seq);
}

for (const transport of ["websocket", "sse"]) {
  test(`symbols come and go while the client runs (${transport})`, async (t) => {
    const server = await serverFor(t, PAUSED);
    const client = clientFor(t, server.url, { symbols: ["AAPL"], transport });
    await reaches(client, "live");
    await client.control({ action: "step", events: 12 });
    await sees(client, "update", ({ seq }) => seq === 10);
    assert.deepEqual(seqsOf(client, "AAPL"), [1, 6, 8, 10]);

    await client.subscribe(["MSFT"]);
    await reaches(client, "live");
    assert.equal(client.store.get("MSFT").seq, 12);
    assert.equal(client.store.get("MSFT").trade.price, "402.23");

    await client.control({ action: "step", events: 30 });
    await sees(client, "update", ({ seq }) => seq >= 40);
    const all = await client.get("events", { symbols: ["AAPL", "MSFT"] });
    for (const [symbol, first] of [["AAPL", 0], ["MSFT", 12]]) {
      const events = all.events.filter((event) => event.symbol === symbol && event.seq > first);
      assert.deepEqual(seqsOf(client, symbol), events.map(({ seq }) => seq));
    }

    await client.unsubscribe(["AAPL"]);
    assert.deepEqual([...client.store.keys()], ["MSFT"]);
    await client.control({ action: "step", events: 60 });
    await sees(client, "update", ({ seq }) => seq > 95);
    assert.ok(seqsOf(client, "AAPL").at(-1) <= 42);

    await client.unsubscribe(["MSFT"]);
    assert.equal(client.store.size, 0);
    await client.subscribe(["NVDA"]);
    await reaches(client, "live");
    assert.deepEqual([...client.store.keys()], ["NVDA"]);
    assert.deepEqual(had(client, "gap"), []);
  });

  test(`a halt is told whatever the channels, and snapshots tell it to those who come later (${transport})`, async (t) => {
    const server = await serverFor(t, ["--feed", "stdin"]);
    const client = clientFor(t, server.url, { symbols: ["A"], channels: ["bars"], transport });
    await reaches(client, "live");
    server.feed({ type: "status", symbol: "A", status: "halted", reason: "news" });
    server.feed({ type: "status", symbol: "B", status: "halted" });
    await updates(client, 1);
    assert.deepEqual(had(client, "update").map(({ type, reason }) => [type, reason]), [["status", "news"]]);

    const later = clientFor(t, server.url, { symbols: ["A", "B"], channels: ["trades"], transport });
    await reaches(later, "live");
    for (const { status } of [client.store.get("A"), later.store.get("A")]) {
      assert.deepEqual([status.status, status.reason], ["halted", "news"]);
    }
    server.feed({ type: "status", symbol: "A", status: "trading" });
    await Promise.all([updates(client, 2), updates(later, 1)]);
    assert.equal(client.store.get("A").status.status, "trading");
    assert.equal(later.store.get("A").status.status, "trading");
    assert.equal(client.store.has("B"), false);
  });

  test(`a wrong symbol is refused in the server's words, and the subscription goes on (${transport})`, async (t) => {
    const server = await serverFor(t, PAUSED);
    const client = clientFor(t, server.url, { symbols: ["AAPL"], transport });
    await reaches(client, "live");

    const refusal = { name: "ServerError", code: "bad_symbol", message: /has a space/ };
    await assert.rejects(client.subscribe(["AA PL"]), refusal);

    await client.control({ action: "step" });
    await updates(client, 1);
    assert.equal(client.state.state, "live");
  });

  test(`each symbol has its own channels, also after a cut (${transport})`, async (t) => {
    const server = await serverFor(t, PAUSED);
    const proxy = await proxyFor(t, server);
    const client = clientFor(t, proxy.url, { symbols: ["AAPL"], channels: ["trades"], transport });
    await reaches(client, "live");
    await client.subscribe(["MSFT"], { channels: ["quotes"] });
    await client.control({ action: "step", events: 100 });
    await sees(client, "update", ({ seq }) => seq >= 95);
    proxy.cut();
    await reaches(client, "reconnecting");
    await reaches(client, "live");
    await client.control({ action: "step", events: 100 });
    await sees(client, "update", ({ seq }) => seq >= 190);

    const kinds = new Set(had(client, "update").map(({ type, symbol }) => `${type} ${symbol}`));
    assert.deepEqual([...kinds].sort(), ["quote MSFT", "trade AAPL"]);
  });

  test(`a subscription may begin empty, and names what the feed does not know (${transport})`, async (t) => {
    const server = await serverFor(t, PAUSED);
    const client = clientFor(t, server.url, { transport });

    await client.subscribe(["AAPL", "APPL"]);

    assert.deepEqual([...client.unknown], ["APPL"]);
    await client.control({ action: "step" });
    await updates(client, 1);
    assert.deepEqual([...client.store.keys()], ["AAPL"]);
  });
}

test("a subscription that is asked for while the client is away comes with the next connection", async (t) => {
  const server = await serverFor(t, PAUSED);
  const proxy = await proxyFor(t, server);
  const client = clientFor(t, proxy.url, { symbols: ["AAPL"] });
  await reaches(client, "live");
  await client.control({ action: "step", events: 12 });
  await sees(client, "update", ({ seq }) => seq === 10);

  proxy.refuses = true;
  proxy.cut();
  await reaches(client, "reconnecting");
  const subscribed = client.subscribe(["MSFT"]);
  proxy.refuses = false;
  await subscribed;

  assert.equal(client.store.get("MSFT").seq, 12);
  assert.deepEqual(seqsOf(client, "AAPL"), [1, 6, 8, 10]);
});

test("updates can be read in a loop, which ends when the client is closed", async (t) => {
  const server = await serverFor(t, PAUSED);
  const client = clientFor(t, server.url, { symbols: ["*"] });
  await reaches(client, "live");
  await client.control({ action: "step", events: 5 });
  await updates(client, 5);
  const found = [];
  const stepped = client.control({ action: "step", events: 5 });
  for await (const { seq } of client) {
    found.push(seq);
    if (seq === 10) client.close();
  }
  await stepped;

  assert.deepEqual(found, [6, 7, 8, 9, 10]);
});

test("a loop that is too slow ends with an error instead of an endless queue", async () => {
  /** Returns a client whose server is a function that says a quote. */
  const pair = () => {
    let socket;
    class Fake {
      constructor() {
        socket = this;
        queueMicrotask(() => this.onopen({}));
      }

      send(text) {
        const { action, id } = JSON.parse(text);
        const feed = { kind: "simulated", state: "running" };
        const reply = { type: "subscribed", id, epoch: "e", seq: 0, resumed: false, snapshots: 0, feed };
        if (action === "subscribe") this.onmessage({ data: JSON.stringify(reply) });
      }

      close() {}
    }
    const unused = () => new Promise(() => {});
    const client = connect({ url: "http://127.0.0.1:9", symbols: ["A"], WebSocket: Fake, fetch: unused });
    let seq = 0;
    const say = () => socket.onmessage({ data: `{"type":"quote","symbol":"A","seq":${++seq},"time":"2024-01-03"}` });
    return { client, say };
  };
  /** Reads two updates, and lets so many more come between them. */
  const read = async (waiting) => {
    const { client, say } = pair();
    await reaches(client, "live");
    const loop = (async () => {
      let count = 0;
      for await (const _ of client) {
        for (let more = 0; count === 0 && more < waiting; more += 1) say();
        count += 1;
        if (count === 2) break;
      }
    })();
    say();
    say();
    await loop.finally(() => client.close());
  };

  await read(100_000);
  await assert.rejects(read(100_001), /too slow/);
});
