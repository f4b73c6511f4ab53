// The feed of the peers in JavaScript: frames of the same form and length as ours, on the same schedule.
//
// Event k is due at start + k / rate and carries that time; what is due is published once a millisecond. Values are drawn
// in advance, so that an event costs the peer little.

'use strict';

const VALUES = 1024;

/// `--symbols A,B --rate 100`, and what clients are told.
function settings() {
  const value = (name) => process.argv[process.argv.indexOf(name) + 1];
  return { symbols: value('--symbols').split(','), rate: Number(value('--rate')) };
}

/// Calls `publish(symbol, text)` for each event when it is due.
class Feed {
  /// Of the newest event.
  seq = 0;

  constructor({ symbols, rate }) {
    this.symbols = symbols;
    this.rate = rate;
    this.values = Array.from({ length: VALUES }, drawn);
  }

  start(publish) {
    // Whole seconds apart: all nanoseconds since 1970 are more than a number holds.
    const now = this.now();
    this.second = Math.floor(now / 1e3);
    this.nanos = Math.round((now - this.second * 1e3) * 1e6);
    this.first = now;
    setInterval(() => this.publishDue(publish), 1);
  }

  /// Milliseconds since 1970, to the microsecond.
  now() {
    return performance.timeOrigin + performance.now();
  }

  publishDue(publish) {
    const due = ((this.now() - this.first) * this.rate) / 1e3;
    while (this.seq <= due) {
      const nanos = this.nanos + Math.floor((this.seq * 1e9) / this.rate);
      const draw = Math.floor(Math.random() * this.symbols.length);
      const symbol = this.symbols[this.seq < this.symbols.length ? this.seq : draw];
      const { kind, facts } = this.values[this.seq % VALUES];
      this.seq += 1;
      const time = this.time(nanos);
      publish(symbol, `{"type":"${kind}","symbol":"${symbol}","seq":${this.seq},"time":"${time}"${facts}}`);
    }
  }

  time(nanos) {
    const seconds = Math.floor(nanos / 1e9);
    if (seconds !== this.shown) {
      this.shown = seconds;
      this.prefix = new Date((this.second + seconds) * 1e3).toISOString().slice(0, -4);
    }
    return this.prefix + String(1e9 + (nanos - seconds * 1e9)).slice(1) + 'Z';
  }
}

/// Four of ten events are trades, as with us.
function drawn() {
  const bid = 10 + 490 * Math.random();
  const price = (of) => of.toFixed(2);
  const lots = () => 100 * Math.ceil(20 * Math.random());
  if (Math.random() < 0.4) {
    return { kind: 'trade', facts: `,"price":${price(bid)},"size":${lots()}` };
  }
  const ask = bid + 0.02;
  return {
    kind: 'quote',
    facts: `,"bid":${price(bid)},"bid_size":${lots()},"ask":${price(ask)},"ask_size":${lots()}`,
  };
}

/// What a request's URL asks for.
function wanted(url) {
  return new URL(url, 'http://localhost').searchParams.get('symbols').split(',');
}

module.exports = { Feed, settings, wanted };
