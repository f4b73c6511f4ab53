// Halts of trading, by the contract. The server sends no status yet, so a socket adds the frames to those of the server.

import assert from "node:assert/strict";
import { test } from "node:test";

import WebSocket from "ws";

import { clientFor, had, reaches, serverFor, updates } from "./clients.mjs";
import { PAUSED } from "./servers.mjs";

/** A socket that can receive more than the server sends. `halt` is added to the snapshot of AAPL. */
function haltingSocket(halt) {
  return class extends WebSocket {
    static opened;

    constructor(url) {
      super(url);
      this.constructor.opened = this;
    }

    receive(frame) {
      this.onmessage({ data: JSON.stringify(frame) });
    }

    emit(name, data, isBinary) {
      const text = name === "message" ? data.toString() : "";
      if (!halt || !text.startsWith('{"type":"snapshot","symbol":"AAPL"')) return super.emit(name, data, isBinary);
      return super.emit(name, Buffer.from(text.replace(/\}$/, `,${halt}}`)), isBinary);
    }
  };
}

const status = (seq, fields) => ({ type: "status", symbol: "AAPL", seq, time: "2024-01-03T14:31:00Z", ...fields });

test("a status is an update of its symbol in any channel, once, and is in the store", async (t) => {
  const server = await serverFor(t, PAUSED);
  const Socket = haltingSocket();
  const client = clientFor(t, server.url, { symbols: ["AAPL"], channels: ["quotes"], WebSocket: Socket });
  await reaches(client, "live");
  await client.control({ action: "step", events: 100 });
  await updates(client, 1);
  const { day, seq } = client.store.get("AAPL");
  const head = seq + 1000;

  Socket.opened.receive(status(head, { status: "halted", reason: "volatility" }));
  Socket.opened.receive(status(head, { status: "halted", reason: "volatility" }));
  Socket.opened.receive({ ...status(head + 1, { status: "halted" }), symbol: "MSFT" });
  const row = client.store.get("AAPL");
  assert.equal(had(client, "update").filter(({ type }) => type === "status").length, 1);
  assert.deepEqual([row.status.status, row.status.reason, row.seq], ["halted", "volatility", head]);
  assert.equal(row.day, day);
  assert.equal(client.store.has("MSFT"), false);

  Socket.opened.receive(status(head + 2, { status: "trading" }));
  assert.equal(client.store.get("AAPL").status.status, "trading");
});

test("a snapshot says that a symbol is halted", async (t) => {
  const server = await serverFor(t, PAUSED);
  const first = clientFor(t, server.url, { symbols: ["*"] });
  await reaches(first, "live");
  await first.control({ action: "step", events: 100 });
  const WebSocket = haltingSocket('"status":"halted"');
  const client = clientFor(t, server.url, { symbols: ["AAPL", "MSFT"], WebSocket });
  await reaches(client, "live");
  assert.equal(client.store.get("AAPL").status.status, "halted");
  assert.equal(client.store.get("MSFT").status, undefined);
});
