// A server with Bun's own publish and subscribe. Each symbol is a topic. One more topic relays the messages
// of plain clients, which have no subscription.
//
// The server compresses nothing, sends no pings, closes no client and drops no update.

'use strict';

const { RELAY, openFeed, symbolsOf } = require('./feed.js');

const feed = openFeed();
const reply = (type) => `{"type":"${type}","seq":${feed.seq}}`;

const isPlain = (client) => client.data.length === 0;

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    if (!server.upgrade(request, { data: symbolsOf(request.url) })) {
      return new Response('this is a WebSocket endpoint', { status: 426 });
    }
  },
  websocket: {
    perMessageDeflate: false,
    backpressureLimit: 1024 * 1024 * 1024,
    closeOnBackpressureLimit: false,
    idleTimeout: 0,
    sendPings: false,
    open(client) {
      if (isPlain(client)) {
        client.subscribe(RELAY);
      } else {
        client.data.forEach((symbol) => client.subscribe(symbol));
        client.send(reply('subscribed'));
      }
    },
    // A plain client's message goes to all plain clients, the sender included. Other clients send only one
    // command. The answer to this command arrives after all published events.
    message(client, message) {
      if (isPlain(client)) {
        server.publish(RELAY, message);
      } else {
        client.send(reply('set'));
      }
    },
  },
});

feed.start((symbol, text) => server.publish(symbol, text));
console.error(`address=127.0.0.1:${server.port}`);
