// A server with Node's `ws`. Each symbol has a set of subscribers. One more set contains the plain clients,
// which receive relayed messages. Each event is encoded once.

'use strict';

const { WebSocketServer } = require('ws');

const { RELAY, openFeed, symbolsOf } = require('./feed.js');

const feed = openFeed();
const reply = (type) => `{"type":"${type}","seq":${feed.seq}}`;
const subscribers = new Map();

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 4096 });

server.on('connection', (client, request) => {
  const symbols = symbolsOf(request.url);
  const isPlain = symbols.length === 0;
  const topics = isPlain ? [RELAY] : symbols;
  for (const topic of topics) {
    subscribers.set(topic, (subscribers.get(topic) ?? new Set()).add(client));
  }
  client.on('close', () => topics.forEach((topic) => subscribers.get(topic).delete(client)));
  client.on('error', () => client.terminate());
  if (isPlain) {
    client.on('message', (message, isBinary) => publish(RELAY, message, isBinary));
  } else {
    client.send(reply('subscribed'));
    client.on('message', () => client.send(reply('set')));
  }
});

server.on('listening', () => {
  feed.start((symbol, text) => publish(symbol, Buffer.from(text), false));
  console.error(`address=127.0.0.1:${server.address().port}`);
});

function publish(topic, message, binary) {
  for (const client of subscribers.get(topic) ?? []) {
    client.send(message, { binary });
  }
}
