// Clients for the tests, and what tests wait for.

import WebSocket from "ws";

import { connect } from "../dist/client.js";
import { startProxy } from "./proxy.mjs";
import { serve } from "./servers.mjs";

/** Starts a server that ends with the test. */
export async function serverFor(t, flags, env, listen) {
  const server = await serve(flags, env, listen);
  t.after(server.stop);
  return server;
}

/** Starts a proxy in front of a server. It ends with the test. */
export async function proxyFor(t, server) {
  const proxy = await startProxy(server.address);
  t.after(proxy.stop);
  return proxy;
}

/**
 * Connects a client that is closed with the test. Its list `seen` has all its events, as pairs of name and
 * event.
 */
export function clientFor(t, url, options) {
  const client = connect({ url, WebSocket, ...options });
  t.after(() => client.close());
  client.seen = [];
  for (const name of ["update", "snapshot", "state", "feed", "gap", "conflated", "message", "error"]) {
    client.on(name, (event) => client.seen.push([name, event]));
  }
  return client;
}

/** Returns the events of this name that a client has had. */
export function had(client, name) {
  return client.seen.filter(([seen]) => seen === name).map(([, event]) => event);
}

/** Waits for an event that passes the test. */
export function next(client, name, test = () => true) {
  return new Promise((resolve) => {
    const remove = client.on(name, (event) => {
      if (!test(event)) return;
      remove();
      resolve(event);
    });
  });
}

/** Returns the first event that passes the test, which the client has had or will have. */
export async function sees(client, name, test = () => true) {
  return had(client, name).find(test) ?? next(client, name, test);
}

/** Waits until the client is in a state. */
export async function reaches(client, state) {
  if (client.state.state !== state) await next(client, "state", (event) => event.state === state);
  return client.state;
}

/** Waits until the client has had so many updates. */
export async function updates(client, count) {
  if (client.counts.updates < count) await next(client, "update", () => client.counts.updates >= count);
}

/** Waits until rows have changed so that the test passes. */
export async function changed(client, test) {
  if (!test()) await next(client, "changed", test);
}

/** Returns the seq of all updates, in the order in which they came. */
export function seqs(client) {
  return had(client, "update").map(({ seq }) => seq);
}

/** Returns the numbers from `first` to `last`. */
export function range(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
