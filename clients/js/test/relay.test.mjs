// What clients say to each other.

import assert from "node:assert/strict";
import { test } from "node:test";
import WebSocket from "ws";

import { clientFor, had, next, reaches, serverFor } from "./clients.mjs";
import { PAUSED } from "./servers.mjs";

test("a message reaches all clients, its sender and streams included, as text", async (t) => {
  const server = await serverFor(t, PAUSED);
  const clients = [{}, { symbols: ["AAPL"] }, { symbols: ["*"], transport: "sse" }].map((options) =>
    clientFor(t, server.url, options),
  );
  await Promise.all(clients.map((client) => reaches(client, "live")));
  const text = '<img onerror="alert(1)"> {"type":"trade","price":1.50}';

  const heard = clients.map((client) => next(client, "message"));
  clients[0].send(text);

  const messages = await Promise.all(heard);
  assert.deepEqual(messages.map((message) => message.text), [text, text, text]);
  assert.equal(new Set(messages.map(({ from }) => from)).size, 1);
});

test("a message that is not relayed is an error with the server's words", async (t) => {
  const server = await serverFor(t, PAUSED, { TICKERPLANT_RELAY__MAX_BYTES: "8" });
  const client = clientFor(t, server.url, { symbols: ["AAPL"] });
  await reaches(client, "live");

  const error = next(client, "error");
  client.send("9 letters");

  assert.equal((await error).code, "message_too_long");
  assert.match((await error).message, /at most 8/);
});

test("what a peer says before the client has subscribed does not pass for a price", async (t) => {
  const server = await serverFor(t, PAUSED);
  // A connection receives the messages of peers as they were sent, until its first command is carried out.
  class Early extends WebSocket {
    set onopen(listener) {
      super.onopen = (event) => {
        const forged = { type: "trade", symbol: "AAPL", seq: 1, time: "2024-01-03T14:30:00Z", price: 1 };
        for (const data of ["Hello!", "null", JSON.stringify(forged)]) this.onmessage({ data });
        listener(event);
        for (const data of ["Hello!", "null", JSON.stringify(forged)]) this.onmessage({ data });
      };
    }
  }
  const client = clientFor(t, server.url, { symbols: ["*"], WebSocket: Early });

  await reaches(client, "live");
  assert.deepEqual(had(client, "update"), []);
  assert.equal(client.store.size, 0);
});
