// The same work done with Node's `ws`: a set of clients a symbol, each event encoded once.

'use strict';

const { WebSocketServer } = require('ws');

const { Feed, settings, wanted } = require('./feed.js');

const feed = new Feed(settings());
const told = (type) => `{"type":"${type}","seq":${feed.seq}}`;
const takers = new Map();

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4096 });

server.on('connection', (client, request) => {
  const symbols = wanted(request.url);
  for (const symbol of symbols) {
    takers.set(symbol, (takers.get(symbol) ?? new Set()).add(client));
  }
  client.send(told('subscribed'));
  client.on('message', () => client.send(told('set')));
  client.on('close', () => symbols.forEach((symbol) => takers.get(symbol).delete(client)));
  client.on('error', () => client.terminate());
});

server.on('listening', () => {
  feed.start((symbol, text) => {
    const frame = Buffer.from(text);
    for (const client of takers.get(symbol) ?? []) {
      client.send(frame, { binary: false });
    }
  });
  console.error(`address=127.0.0.1:${server.address().port}`);
});
