// What a client gets although its connections break.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clientFor, had, next, proxyFor, range, reaches, seqs, serverFor, updates } from "./clients.mjs";
import { PAUSED } from "./servers.mjs";

const EVENTS = 1980;

for (const transport of ["websocket", "sse"]) {
  test(`twenty cuts lose no event and bring none twice (${transport})`, async (t) => {
    const server = await serverFor(t, PAUSED);
    const proxy = await proxyFor(t, server);
    const client = clientFor(t, proxy.url, { symbols: ["*"], delivery: "every", transport });
    const control = clientFor(t, server.url);
    await reaches(client, "live");

    for (let cut = 1; cut <= 20; cut += 1) {
      const came = next(client, "update");
      await control.control({ action: "step", events: 60 });
      await came;
      proxy.cut();
      await reaches(client, "reconnecting");
      await control.control({ action: "step", events: 39 });
    }
    await updates(client, EVENTS);

    assert.deepEqual(seqs(client), range(1, EVENTS));
    assert.equal(client.counts.reconnects, 20);
    assert.equal(client.counts.missed, 0);
    assert.deepEqual(had(client, "gap"), []);
  });

  for (const all of [false, true]) {
    test(`a cut within the snapshots loses no symbol and no event (${transport}, ${all ? "*" : "names"})`, async (t) => {
      const names = range(1, 300).map((number) => `S${number}`);
      const flags = ["--feed", "simulated", "--symbols", names.join(), "--rate", "3000"];
      const server = await serverFor(t, flags);
      const witness = clientFor(t, server.url, { symbols: ["*"], delivery: "every" });
      await updates(witness, 3000);
      const proxy = await proxyFor(t, server);
      proxy.breakAfter = 60_000;
      const client = clientFor(t, proxy.url, { symbols: all ? ["*"] : names, delivery: "every", transport });

      await reaches(client, "reconnecting");
      assert.ok(client.store.size < 300, "the proxy cuts within the snapshots");
      await reaches(client, "live");
      const most = Math.max(...seqs(client), 0) + 3000;
      await next(client, "update", ({ seq }) => seq >= most);
      await next(witness, "update", ({ seq }) => seq >= most);

      assert.equal(client.store.size, 300);
      assert.deepEqual(had(client, "gap"), []);
      for (const name of names) {
        const of = (events) => events.filter(({ symbol, seq }) => symbol === name && seq <= most).map(({ seq }) => seq);
        const snapshots = had(client, "snapshot").filter(({ symbol }) => symbol === name);
        assert.equal(snapshots.length, 1, `${name} has one snapshot`);
        const after = of(had(witness, "update")).filter((seq) => seq > snapshots[0].seq);
        assert.deepEqual(of(had(client, "update")), after);
      }
    });
  }
}

for (const transport of ["websocket", "sse"]) {
  test(`whatever breaks, each symbol is a snapshot and then every event, once (${transport})`, async (t) => {
    const names = range(1, 40).map((number) => `S${number}`);
    const flags = ["--feed", "simulated", "--symbols", names.join(), "--rate", "2000"];
    const server = await serverFor(t, flags);
    const proxy = await proxyFor(t, server);
    const witness = clientFor(t, server.url, { symbols: ["*"], delivery: "every" });
    await updates(witness, 100);
    // A small generator of numbers, so that each run does the same in the same order.
    let state = transport === "sse" ? 7 : 8;
    const random = (limit) => (state = (state * 16_807) % 2_147_483_647) % limit;
    const client = clientFor(t, proxy.url, { delivery: "every", transport });
    const calls = [];
    const actions = [
      (name) => calls.push(client.subscribe([name])),
      (name) => calls.push(client.subscribe([name])),
      (name) => {
        calls.push(client.unsubscribe([name]));
        client.seen.push(["unsubscribe", { symbol: name }]);
      },
      () => proxy.cut(),
      () => (proxy.breakAfter = 200 + random(20_000)),
      () => {
        proxy.refuses = !proxy.refuses;
        proxy.cut();
      },
    ];

    for (let step = 0; step < 150; step += 1) {
      actions[random(actions.length)](names[random(20)]);
      await updates(witness, witness.counts.updates + random(200));
    }
    proxy.refuses = false;
    proxy.breakAfter = Infinity;
    await Promise.all(calls);
    await reaches(client, "live");
    const last = client.counts.updates + 20;
    await updates(client, last);
    client.close();
    await next(witness, "update", ({ seq }) => seq > Math.max(...seqs(client)));

    assert.deepEqual(had(client, "gap"), []);
    for (const name of names) {
      const all = had(witness, "update").filter(({ symbol }) => symbol === name).map(({ seq }) => seq);
      let from;
      for (const [what, { symbol, seq }] of client.seen) {
        if (symbol !== name) continue;
        if (what === "update") assert.equal(seq, all.find((other) => other > from), `${name} after ${from}`);
        from = what === "unsubscribe" ? undefined : seq;
      }
    }
  });
}

test("a cursor that the history no longer reaches is told as a gap, with what is missed", async (t) => {
  const server = await serverFor(t, PAUSED, { TICKERPLANT_BUS__HISTORY: "50" });
  const proxy = await proxyFor(t, server);
  const client = clientFor(t, proxy.url, { symbols: ["*"] });
  const control = clientFor(t, server.url);
  await reaches(client, "live");
  await control.control({ action: "step", events: 10 });
  await updates(client, 10);

  proxy.refuses = true;
  proxy.cut();
  await reaches(client, "reconnecting");
  await control.control({ action: "step", events: 200 });
  proxy.refuses = false;
  await reaches(client, "live");

  assert.deepEqual(had(client, "gap"), [{ type: "gap", after: 10, until: 210, reason: "history_exhausted" }]);
  assert.equal(client.counts.missed, 200);
  assert.deepEqual([...client.store.values()].map(({ seq }) => seq), [210, 210, 210]);
});

test("after a restart of the server the store has the new server's values, and the gap is told", async (t) => {
  const server = await serverFor(t, PAUSED);
  const proxy = await proxyFor(t, server);
  const client = clientFor(t, proxy.url, { symbols: ["*"] });
  await reaches(client, "live");
  await client.control({ action: "step", events: 100 });
  await updates(client, 100);
  assert.equal(client.store.size, 3);

  const other = await serverFor(t, ["--feed", "replay", "feeds/bars-1m.csv", "--paused", "--symbols", "AAPL"]);
  proxy.to = other.address;
  await server.stop();
  await reaches(client, "reconnecting");
  await reaches(client, "live");
  assert.equal(had(client, "gap")[0].reason, "epoch_changed");
  assert.equal(client.store.size, 0);

  await client.control({ action: "step" });
  await updates(client, 101);
  assert.equal(client.store.get("AAPL").seq, 1);
  assert.equal(client.store.get("AAPL").trade, undefined);
  assert.equal(client.store.get("AAPL").bar.close, "189.46");
});
