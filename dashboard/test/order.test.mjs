// The order of the table's rows, its columns, and the place of a price in the range of its day.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Instrument } from "../src/market/instrument";
import { fitting, template } from "../src/table/columns";
import { nextSort, ordered } from "../src/table/order";

const ALL = { trades: true, quotes: true, volumes: true };

/** Returns a market with instruments of these values, by symbol. */
function marketOf(values) {
  const instruments = new Map();
  for (const [symbol, value] of Object.entries(values)) {
    instruments.set(symbol, Object.assign(new Instrument(symbol), value));
  }
  return { instruments, features: ALL };
}

const market = marketOf({
  MSFT: { last: "400.10", changePercent: "-1.20" },
  AAPL: { last: "99.5", changePercent: "0.10" },
  EMPTY: {},
  NVDA: { last: "1000", changePercent: "0.10" },
});

/** Returns the symbols of a view in their order. */
const symbols = (view) => ordered(market, { symbols: undefined, filter: "", sort: undefined, ...view }).map(({ symbol }) => symbol);

test("without a sort, all symbols are in alphabetical order", () => {
  assert.deepEqual(symbols({}), ["AAPL", "EMPTY", "MSFT", "NVDA"]);
});

test("numbers sort by their values, and symbols without a value come last in both directions", () => {
  assert.deepEqual(symbols({ sort: { column: "last", descending: true } }), ["NVDA", "MSFT", "AAPL", "EMPTY"]);
  assert.deepEqual(symbols({ sort: { column: "last", descending: false } }), ["AAPL", "MSFT", "NVDA", "EMPTY"]);
});

test("equal values are in alphabetical order in both directions", () => {
  assert.deepEqual(symbols({ sort: { column: "change_percent", descending: true } }), ["AAPL", "NVDA", "MSFT", "EMPTY"]);
  assert.deepEqual(symbols({ sort: { column: "change_percent", descending: false } }), ["MSFT", "AAPL", "NVDA", "EMPTY"]);
});

test("a watchlist keeps its order, also that of symbols without data", () => {
  assert.deepEqual(symbols({ symbols: ["NVDA", "LATER", "AAPL"] }), ["NVDA", "LATER", "AAPL"]);
});

test("the filter takes a part of a symbol, in any case", () => {
  assert.deepEqual(symbols({ filter: " v" }), ["NVDA"]);
  assert.deepEqual(symbols({ filter: "zzz" }), []);
});

test("the key for the next sort goes through the shown columns and begins again", () => {
  const features = { trades: true, quotes: false, volumes: false };
  const seen = [];
  let sort;
  for (let turn = 0; turn < 8; turn += 1) {
    sort = nextSort(features, sort);
    seen.push(sort.column);
  }
  assert.deepEqual(seen, ["symbol", "last", "change", "change_percent", "range", "trend", "age", "symbol"]);
  assert.equal(nextSort(features, undefined).descending, false);
  assert.equal(nextSort(features, { column: "symbol", descending: false }).descending, true);
});

test("a narrow table keeps what matters, and a wide one has every column", () => {
  const ids = (width, features = ALL) => fitting(features, width).map(({ id }) => id);
  assert.deepEqual(ids(300), ["symbol", "last", "change_percent"]);
  assert.equal(ids(2560).length, 11);
  assert.deepEqual(ids(2560, { trades: false, quotes: true, volumes: false }), ["symbol", "bid", "ask", "spread", "age"]);
  assert.equal(template(fitting(ALL, 300)).split(" minmax").length, 3);
});

test("a price has its place in the range of its day", () => {
  const place = (last, low, high) => Object.assign(new Instrument("AAPL"), { last, low, high }).place;
  assert.equal(place("10", "10", "20"), 0);
  assert.equal(place("15", "10", "20"), 0.5);
  assert.equal(place("20", "10", "20"), 1);
  assert.equal(place("10", "10", "10"), undefined);
  assert.equal(place("10", "", ""), undefined);
});
