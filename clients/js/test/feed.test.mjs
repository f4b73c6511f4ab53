// The market as the store has it, and control of the feed.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { changed, clientFor, had, next, reaches, sees, serverFor, updates } from "./clients.mjs";
import { PAUSED } from "./servers.mjs";

const QUICK = { TICKERPLANT_SESSION__HEARTBEAT: "100ms" };

/** Checks that the store has what the server answers to a request for snapshots. */
async function agrees(client) {
  // The answer comes from any of the server's threads, which may be a moment behind the client's own.
  const newest = Math.max(...[...client.store.values()].map(({ seq }) => seq));
  let snapshots;
  do ({ snapshots } = await client.get("snapshots", { symbols: "*" }));
  while (Object.values(snapshots).some(({ seq }) => seq < newest));
  assert.deepEqual([...client.store.keys()].sort(), Object.keys(snapshots).sort());
  for (const [symbol, { trade, quote, bar, day }] of Object.entries(snapshots)) {
    const row = client.store.get(symbol);
    for (const [kind, event] of Object.entries({ trade, quote, bar })) {
      const { type, symbol: name, ...own } = row[kind] ?? {};
      assert.deepEqual(own, event ?? {}, `the ${kind} of ${symbol}`);
    }
    // Zeros at the end of a change may differ, because a snapshot does not have the price of the day before.
    const changes = ({ change, change_percent } = {}) => [change, change_percent].map(Number);
    const plain = (of) => ({ volume: undefined, ...of, change: changes(of)[0], change_percent: changes(of)[1] });
    assert.deepEqual(plain(row.day), plain(day), `the day of ${symbol}`);
  }
}

for (const file of ["ticks", "bars-1m"]) {
  for (const transport of ["websocket", "sse"]) {
    test(`at the end of a replay the store is what the server says (${file}, ${transport})`, async (t) => {
      const flags = ["--feed", "replay", `feeds/${file}.csv`, "--speed", "max", "--wait-for-client"];
      const server = await serverFor(t, flags);
      const client = clientFor(t, server.url, { symbols: ["*"], delivery: "every", transport });

      await sees(client, "feed", ({ state }) => state === "ended");

      assert.ok(client.counts.updates > 1900);
      await agrees(client);
    });
  }
}

test("days, late trades, missing sizes and rounding are as the server has them", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tickerplant-client-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "trades.csv");
  // A small generator of numbers, so that each run has the same file.
  let state = 7;
  const random = (limit) => (state = (state * 16_807) % 2_147_483_647) % limit;
  const rows = Array.from({ length: 3000 }, (_, index) => {
    const hours = Math.floor(index / 40) - (random(20) ? 0 : random(30));
    const time = new Date(Date.UTC(2024, 0, 3, hours, index % 40)).toISOString();
    const price = (100 + random(8) / 2 + random(1000) / 1000).toFixed(random(4)) + (random(9) ? "" : "0");
    return [time, `S${random(40)}`, price, random(7) ? random(500) / 10 : ""].join();
  });
  writeFileSync(file, ["time,symbol,price,size", ...rows].join("\n"));
  const server = await serverFor(t, ["--feed", "replay", file, "--speed", "max", "--paused"], QUICK);
  const client = clientFor(t, server.url, { symbols: ["*"], delivery: "every" });
  await reaches(client, "live");

  for (let count = 100; count <= 3000; count += 100) {
    await client.control({ action: "step", events: 100 });
    await updates(client, count);
    await agrees(client);
  }

  // Whoever joins does not know of which date a snapshot is, but agrees after the next heartbeat.
  await client.control({ action: "seek", time: "2024-01-03" });
  const joined = [];
  for (let count = 0; count < 20; count += 1) {
    joined.push(clientFor(t, server.url, { symbols: ["*"], transport: count % 2 ? "sse" : "websocket" }));
    await reaches(joined.at(-1), "live");
    await client.control({ action: "step", events: 150 });
  }
  const { symbols } = await client.get("symbols");
  for (const other of [client, ...joined]) {
    await changed(other, () => symbols.every(({ symbol, volume }) => other.store.get(symbol)?.day?.volume === volume));
    await agrees(other);
  }
});

test("conflation is told and counted, and does not spoil the days in the store", async (t) => {
  const server = await serverFor(t, PAUSED, QUICK);
  const client = clientFor(t, server.url, { symbols: ["*"], intervalMs: 300 });
  await reaches(client, "live");

  await client.control({ action: "step", events: 500 });
  await sees(client, "conflated");
  const { symbols } = await client.get("symbols");
  await changed(client, () => symbols.every(({ symbol, volume }) => client.store.get(symbol)?.day?.volume === volume));

  await agrees(client);
  assert.equal(client.counts.updates + client.counts.conflated, 500);
  const told = had(client, "conflated").reduce((sum, more) => sum + more, 0);
  assert.equal(client.counts.conflated, told);
});

test("the feed pauses, goes on, steps, seeks, and changes its speed", async (t) => {
  // With several threads, the one that answers requests may be a moment behind a seek, which changes no `seq`.
  const server = await serverFor(t, PAUSED, { TICKERPLANT_SERVER__SHARDS: "1" });
  const client = clientFor(t, server.url, { symbols: ["*"] });
  await reaches(client, "live");
  assert.deepEqual(client.feed, { kind: "replay", state: "paused" });

  assert.equal((await client.control({ action: "step", events: 10 })).events, 10);
  await updates(client, 10);

  const told = next(client, "feed", ({ position }) => position);
  let rows;
  client.on("feed", () => (rows = client.store.size));
  const { position } = await client.control({ action: "seek", time: "2024-01-03T14:31:00Z" });
  assert.equal(position, "2024-01-03T14:31:00Z");
  assert.equal((await told).position, position);
  assert.equal(rows, 0, "the store is empty when the seek is told");
  await reaches(client, "live");
  await changed(client, () => client.store.size === 3);
  await agrees(client);
  await client.control({ action: "step" });
  const { time } = await sees(client, "update", ({ seq }) => seq === 11);
  assert.ok(time.startsWith("2024-01-03T14:31:00"));

  assert.equal((await client.control({ action: "speed", speed: 0.001 })).speed, 0.001);
  const running = next(client, "feed", ({ state }) => state === "running");
  await client.control({ action: "resume" });
  await running;
  assert.equal(client.feed.state, "running");
  const paused = next(client, "feed", ({ state }) => state === "paused");
  await client.control({ action: "pause" });
  await paused;
  assert.equal((await client.control({ action: "loop", loop: true })).loop, true);

  await assert.rejects(client.control({ action: "seek", time: "noon" }), { code: "bad_command", status: 400 });
});

test("over a stream, the feed can be controlled as well", async (t) => {
  const server = await serverFor(t, PAUSED);
  const client = clientFor(t, server.url, { symbols: ["*"], transport: "sse" });
  await reaches(client, "live");

  await client.control({ action: "step", events: 10 });
  await updates(client, 10);
  await client.control({ action: "seek", time: "2024-01-03T14:31:00Z" });
  await changed(client, () => client.store.get("MSFT")?.time > "2024-01-03T14:30:50Z");
  await reaches(client, "live");
  await agrees(client);
  assert.deepEqual(had(client, "gap"), []);
});

test("decimal numbers keep all their digits, in frames and in answers", async (t) => {
  const server = await serverFor(t, ["--feed", "replay", "feeds/ticks.csv", "--paused"]);
  const client = clientFor(t, server.url, { symbols: ["NVDA"] });
  await reaches(client, "live");
  await client.control({ action: "step", events: 120 });
  await sees(client, "update", ({ seq }) => seq > 110);

  const { bars } = await client.get("bars/NVDA", { interval: "1d" });
  assert.equal(bars[0].close, client.store.get("NVDA").day.last);
  assert.match(client.store.get("NVDA").quote.bid, /^\d+\.\d\d$/);
  const quotes = had(client, "update").filter(({ type }) => type === "quote");
  assert.ok(quotes.some(({ bid, ask }) => /0$/.test(bid) || /0$/.test(ask)), "a zero at the end stays");
});
