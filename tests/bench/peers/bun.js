// The same work done with Bun: its own publish and subscribe, one topic a symbol.
//
// Nothing is compressed, pinged, timed out or dropped.

'use strict';

const { Feed, settings, wanted } = require('./feed.js');

const feed = new Feed(settings());
const told = (type) => `{"type":"${type}","seq":${feed.seq}}`;

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    if (!server.upgrade(request, { data: wanted(request.url) })) {
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
      client.send(told('subscribed'));
    },
    // The one command is answered behind all that was published.
    message(client) {
      client.send(told('set'));
    },
  },
});

feed.start((symbol, text) => server.publish(symbol, text));
console.error(`address=127.0.0.1:${server.port}`);
