// A server with Bun's own publish and subscribe. Each symbol is a topic.
//
// The server compresses nothing, sends no pings, closes no client and drops no update.

'use strict';

const { Feed, settings, symbolsOf } = require('./feed.js');

const feed = new Feed(settings());
const reply = (type) => `{"type":"${type}","seq":${feed.seq}}`;

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
      client.data.forEach((symbol) => client.subscribe(symbol));
      client.send(reply('subscribed'));
    },
    // The clients send only one command. The answer to this command arrives after all published events.
    message(client) {
      client.send(reply('set'));
    },
  },
});

feed.start((symbol, text) => server.publish(symbol, text));
console.error(`address=127.0.0.1:${server.port}`);
