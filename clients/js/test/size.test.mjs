// The size of the library as the server sends it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { serverFor } from "./clients.mjs";
import { PAUSED } from "./servers.mjs";

/** The library and all it consists of fit into so many bytes, compressed by gzip. */
const MOST = 6144;

test("the server sends the library, compressed, in few bytes", async (t) => {
  const { url } = await serverFor(t, PAUSED);
  const [response] = await once(get(`${url}/client.js`, { headers: { "accept-encoding": "gzip" } }), "response");
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers["content-encoding"], "gzip");
  const bytes = Buffer.concat(await response.toArray());
  assert.ok(bytes.length <= MOST, `/client.js has ${bytes.length} bytes; at most ${MOST} are allowed`);
  const text = gunzipSync(bytes).toString();
  assert.match(text, /export\s*\{[^}]*\bconnect\b/);
  // The library needs no other file.
  assert.doesNotMatch(text, /\bimport\b|\bfrom\s*["']/);
});
