// The feed of the servers in JavaScript, as the arguments say, and what else the servers share.

'use strict';

const { SimulatedFeed } = require('./simulated_feed.js');
const { StdinFeed } = require('./stdin_feed.js');

/// The topic of the messages that plain clients send to each other. No symbol has this name.
const RELAY = 'relay';

/// Returns the feed for the arguments `--feed stdin`, or `--symbols A,B --rate 100`. A feed has a `seq`, which is
/// that of the newest event, and a method `start(publish)`, which calls `publish(symbol, text)` for each event.
function openFeed() {
  const value = (name) => process.argv[process.argv.indexOf(name) + 1];
  if (process.argv.includes('--feed')) {
    return new StdinFeed();
  }
  return new SimulatedFeed(value('--symbols').split(','), Number(value('--rate')));
}

/// Returns the symbols in a request's URL, or an empty list for a plain client.
function symbolsOf(url) {
  const symbols = new URL(url, 'http://localhost').searchParams.get('symbols');
  return symbols?.split(',') ?? [];
}

module.exports = { RELAY, openFeed, symbolsOf };
