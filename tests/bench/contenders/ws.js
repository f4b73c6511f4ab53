// A server with Node's `ws`. Each symbol has a set of clients. Each event is encoded once.

'use strict';

const { WebSocketServer } = require('ws');

const { Feed, settings, symbolsOf } = require('./feed.js');

const feed = new Feed(settings());
const reply = (type) => `{"type":"${type}","seq":${feed.seq}}`;
const subscribers = new Map();

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4096 });

server.on('connection', (client, request) => {
  const symbols = symbolsOf(request.url);
  for (const symbol of symbols) {
    subscribers.set(symbol, (subscribers.get(symbol) ?? new Set()).add(client));
  }
  client.send(reply('subscribed'));
  client.on('message', () => client.send(reply('set')));
  client.on('close', () => symbols.forEach((symbol) => subscribers.get(symbol).delete(client)));
  client.on('error', () => client.terminate());
});

server.on('listening', () => {
  feed.start((symbol, text) => {
    const frame = Buffer.from(text);
    for (const client of subscribers.get(symbol) ?? []) {
      client.send(frame, { binary: false });
    }
  });
  console.error(`address=127.0.0.1:${server.address().port}`);
});
