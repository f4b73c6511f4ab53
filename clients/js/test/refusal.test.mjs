// What the server refuses, and in which words a program hears of it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import WebSocket from "ws";

import { clientFor, next, reaches, serverFor, updates } from "./clients.mjs";
import { PAUSED } from "./servers.mjs";

/** Starts a server that knows the token `secret`, which allows AAPL and names with MS, and no control. */
async function guarded(t) {
  const folder = mkdtempSync(join(tmpdir(), "tickerplant-client-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "tokens.toml");
  const sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
  writeFileSync(file, `[[auth.tokens]]\nname = "dashboard"\nsha256 = "${sha256}"\nsubscribe = ["AAPL", "MS*"]\n`);
  return serverFor(t, [...PAUSED, "--config", file]);
}

for (const transport of ["websocket", "sse"]) {
  test(`a wrong token is refused in the server's words, until the program connects anew (${transport})`, async (t) => {
    const server = await guarded(t);
    const client = clientFor(t, server.url, { symbols: ["AAPL"], token: "guess", transport });

    const { code, message } = await reaches(client, "refused");
    assert.equal(code, "unauthorized");
    assert.match(message, /does not know this token/);

    client.reconnect();
    assert.equal(client.state.state, "connecting");
    await reaches(client, "refused");
  });

  test(`no token at all is refused, too (${transport})`, async (t) => {
    const server = await guarded(t);
    const client = clientFor(t, server.url, { symbols: ["AAPL"], transport });

    const { message } = await reaches(client, "refused");
    assert.match(message, /show a token/);
  });

  test(`a right token gives what it allows (${transport})`, async (t) => {
    const server = await guarded(t);
    const client = clientFor(t, server.url, { symbols: ["AAPL"], token: "secret", transport });
    await reaches(client, "live");

    await assert.rejects(client.subscribe(["NVDA"]), { code: "forbidden", message: /does not allow NVDA/ });
    await assert.rejects(client.control({ action: "pause" }), { code: "forbidden", status: 403 });
    assert.equal(client.state.state, "live");
    if (transport === "websocket") {
      assert.deepEqual([client.access.name, client.access.relay, client.access.control], ["dashboard", false, false]);
    }
  });

  test(`a symbol that is none is refused at the start (${transport})`, async (t) => {
    const server = await serverFor(t, PAUSED);
    const client = clientFor(t, server.url, { symbols: ["AA PL"], transport });

    const { code, message } = await reaches(client, "refused");
    assert.equal(code, "bad_symbol");
    assert.match(message, /has a space/);
    await assert.rejects(client.subscribe(["AAPL"]), { code: "bad_symbol" });
  });
}

test("a full server is asked again, and its words are the reason", async (t) => {
  const server = await serverFor(t, PAUSED, { TICKERPLANT_LIMITS__CONNECTIONS: "1" });
  const first = new WebSocket(`ws://${server.address}/ws`);
  await new Promise((resolve) => first.once("open", resolve));
  const client = clientFor(t, server.url, { symbols: ["AAPL"] });

  const { reason } = await reaches(client, "reconnecting");
  assert.match(reason, /no room for more connections/);

  first.terminate();
  await reaches(client, "catching_up");
});

test("a server that is not there is tried again", async (t) => {
  const server = await serverFor(t, PAUSED);
  await server.stop();
  const client = clientFor(t, server.url, { symbols: ["AAPL"] });

  assert.equal((await reaches(client, "reconnecting")).reason, "the server does not answer");
  await next(client, "state", ({ state, attempt }) => state === "reconnecting" && attempt === 2);

  await serverFor(t, PAUSED, {}, server.address);
  await reaches(client, "live");
  assert.equal(client.counts.reconnects, 1);
});

test("a page that the server does not admit is told of that possibility", async (t) => {
  globalThis.location = { origin: "http://elsewhere.example" };
  t.after(() => delete globalThis.location);
  const { connect } = await import("../dist/client.js?as=page");
  const server = await serverFor(t, PAUSED);
  class Refused extends WebSocket {
    constructor(url) {
      super(url, { origin: "http://elsewhere.example" });
    }
  }
  const hidden = () => Promise.reject(new TypeError("Failed to fetch"));
  const client = connect({ url: server.url, WebSocket: Refused, fetch: hidden });
  t.after(() => client.close());

  assert.match((await reaches(client, "reconnecting")).reason, /does not answer, or does not admit this page/);
});

test("wrong options are errors that name the option", () => {
  assert.throws(() => clientFor({ after() {} }, undefined), /`url` is required/);
  assert.throws(() => clientFor({ after() {} }, "http://localhost/?symbols=AAPL"), /`url` has parameters/);
});

test("an error in a listener reaches the program, and the client goes on", async (t) => {
  const server = await serverFor(t, PAUSED);
  const client = clientFor(t, server.url, { symbols: ["*"] });
  await reaches(client, "live");
  const caught = new Promise((resolve) => process.prependOnceListener("uncaughtException", resolve));
  const others = process.listeners("uncaughtException").slice(1);
  others.forEach((listener) => process.off("uncaughtException", listener));
  t.after(() => others.forEach((listener) => process.on("uncaughtException", listener)));
  const remove = client.on("update", () => {
    throw new Error("a fault of the program");
  });

  await client.control({ action: "step" });
  assert.match((await caught).message, /a fault of the program/);
  remove();
  await client.control({ action: "step" });
  await updates(client, 2);
});
