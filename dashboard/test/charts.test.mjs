// The points of a sparkline, and the candles of a chart.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Candles } from "../src/detail/candles";
import { Sparkline } from "../src/table/sparkline";

/** Returns the market time of so many seconds after a half past two. */
const at = (seconds) => new Date(Date.UTC(2024, 0, 3, 14, 30, seconds)).toISOString();

/** Draws a sparkline of 102 × 26 pixels. Returns the points of its line. */
function pointsOf(line) {
  globalThis.devicePixelRatio = 2;
  const points = [];
  let isDrawn = false;
  const context = new Proxy({}, {
    get: (_, name) => (x, y) => {
      if (name === "stroke") isDrawn = true;
      if (name === "lineTo" && !isDrawn) points.push([x, y]);
    },
    set: () => true,
  });
  const canvas = { getContext: () => context };
  line.draw(canvas, 102, 26, "green", "white");
  assert.deepEqual([canvas.width, canvas.height], [204, 52]);
  return points;
}

test("a sparkline fills its canvas from the first to the last point, and from the least to the greatest", () => {
  const line = new Sparkline(60);
  line.load(60, [
    { time: at(0), close: "10" },
    { time: at(60), close: "30" },
    { time: at(240), close: "20" },
  ]);
  assert.deepEqual(pointsOf(line), [[1, 23], [26, 3], [101, 13]]);
});

test("a sparkline of equal prices is in the middle", () => {
  const line = new Sparkline(60);
  line.push(at(0), "10");
  assert.equal(line.isEmpty, true);
  line.push(at(60), "10");
  assert.equal(line.isEmpty, false);
  assert.deepEqual(pointsOf(line), [[1, 13], [101, 13]]);
});

test("a sparkline follows live prices, and forgets what is older than an hour", () => {
  const line = new Sparkline(60);
  line.load(60, [{ time: at(0), close: "1" }, { time: at(60), close: "2" }]);
  const { version } = line;
  line.push(at(119), "3");
  assert.equal(line.version, version + 1);
  line.push(at(119), "3");
  assert.equal(line.version, version + 1);
  assert.equal(pointsOf(line).length, 2);
  line.push(at(3600), "4");
  assert.equal(pointsOf(line).length, 2);
});

/** Returns the last candle without its time. */
function newest(candles) {
  const { time, ...rest } = candles.newest;
  return rest;
}

const trade = (seconds, price, size = "1") => ({ time: at(seconds), price, size });

test("trades make candles, and a late trade asks for the bars of the server", () => {
  const candles = new Candles(60);
  assert.equal(candles.takeTrade(trade(0, "10")), "begun");
  assert.equal(candles.takeTrade(trade(59, "12", "2")), "changed");
  assert.equal(candles.takeTrade(trade(30, "9")), "changed");
  assert.deepEqual(newest(candles), { open: 10, high: 12, low: 9, close: 9, volume: 4 });
  assert.equal(candles.takeTrade(trade(60, "11")), "begun");
  assert.equal(candles.takeTrade(trade(59, "11")), "late");
  assert.equal(candles.list.length, 2);
});

test("a bar of the feed replaces an earlier one of its time", () => {
  const candles = new Candles(60);
  const bar = { time: at(0), open: "10", high: "15", low: "9", volume: "100" };
  candles.takeBar({ ...bar, close: "11" });
  candles.takeBar({ ...bar, close: "12", high: "13", volume: "150" });
  assert.deepEqual(newest(candles), { open: 10, high: 13, low: 9, close: 12, volume: 150 });
});

test("the bars of the server correct the candles, and a candle that began later is kept", () => {
  const candles = new Candles(60);
  candles.load(60, [{ time: at(0), open: "1", high: "1", low: "1", close: "1", volume: "1" }]);
  candles.takeTrade(trade(60, "2"));
  candles.takeTrade(trade(120, "3"));
  candles.correct([{ time: at(60), open: "5", high: "6", low: "4", close: "5", volume: "9" }]);
  assert.deepEqual(candles.list.map(({ close }) => close), [1, 5, 3]);
  candles.correct([]);
  assert.equal(candles.list.length, 3);
});
