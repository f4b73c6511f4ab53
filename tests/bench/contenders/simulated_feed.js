// A simulated feed. Its frames have the same form, length and schedule as those of our server's simulation.
//
// Event k is due at start + k / rate, which is also the event's time. Once a millisecond, the feed publishes
// all events that are due. The values are computed in advance, so that an event costs the server little.

'use strict';

const VALUES = 1024;

/// Calls `publish(symbol, text)` for each event when the event is due.
class SimulatedFeed {
  seq = 0;

  constructor(symbols, rate) {
    this.symbols = symbols;
    this.rate = rate;
    this.values = Array.from({ length: VALUES }, randomValues);
  }

  start(publish) {
    // Seconds and nanoseconds are separate, because a JavaScript number cannot represent all nanoseconds
    // since 1970 exactly.
    const now = this.now();
    this.second = Math.floor(now / 1e3);
    this.nanos = Math.round((now - this.second * 1e3) * 1e6);
    this.first = now;
    setInterval(() => this.publishDue(publish), 1);
  }

  /// Returns the milliseconds since 1970, exact to a microsecond.
  now() {
    return performance.timeOrigin + performance.now();
  }

  publishDue(publish) {
    const due = ((this.now() - this.first) * this.rate) / 1e3;
    while (this.seq <= due) {
      const nanos = this.nanos + Math.floor((this.seq * 1e9) / this.rate);
      const random = Math.floor(Math.random() * this.symbols.length);
      const symbol = this.symbols[this.seq < this.symbols.length ? this.seq : random];
      const { kind, fields } = this.values[this.seq % VALUES];
      this.seq += 1;
      const time = this.time(nanos);
      publish(symbol, `{"type":"${kind}","symbol":"${symbol}","seq":${this.seq},"time":"${time}"${fields}}`);
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

/// Returns the values of a random event. Four of ten events are trades, as in our server's simulation.
function randomValues() {
  const bid = 10 + 490 * Math.random();
  const price = (of) => of.toFixed(2);
  const lots = () => 100 * Math.ceil(20 * Math.random());
  if (Math.random() < 0.4) {
    return { kind: 'trade', fields: `,"price":${price(bid)},"size":${lots()}` };
  }
  const ask = bid + 0.02;
  return {
    kind: 'quote',
    fields: `,"bid":${price(bid)},"bid_size":${lots()},"ask":${price(ask)},"ask_size":${lots()}`,
  };
}

module.exports = { SimulatedFeed };
