// Code that the servers in JavaScript share: opens the feed, and parses the symbols of a request.

'use strict';

const { SimulatedFeed } = require('./simulated_feed.js');
const { StdinFeed } = require('./stdin_feed.js');

/// The topic of the messages that plain clients send to each other. A plain client has no subscription. No
/// symbol has this name.
const RELAY = 'relay';

/// Returns the feed for the arguments `--feed stdin`, or `--symbols A,B --rate 100`. The field `seq` of a
/// feed is the `seq` of its newest event. Its method `start(publish)` calls `publish(symbol, text)` for each
/// event.
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
