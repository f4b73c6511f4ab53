// Times and spans of time. The tests run in a time zone that is not UTC.

import assert from "node:assert/strict";
import { test } from "node:test";

import { dateAndTime, duration, inFile, span, timeOfDay, toMilliseconds } from "../src/market/time";

test("market times are in UTC, whatever the time zone of the page", () => {
  const time = toMilliseconds("2024-01-03T14:30:00.123456789Z");
  assert.equal(dateAndTime(time), "2024-01-03 14:30:00");
  assert.equal(timeOfDay(time), "14:30:00");
  assert.equal(dateAndTime(toMilliseconds("2024-01-03T23:30:00-05:00")), "2024-01-04 04:30:00");
});

test("a time that is not known is a dash", () => {
  assert.equal(dateAndTime(NaN), "–");
  assert.equal(timeOfDay(NaN), "–");
});

test("an age has its largest unit alone, and is never below zero", () => {
  const ages = { 0: "0s", 999: "0s", 59_999: "59s", 60_000: "1m", 3_599_999: "59m", 3_600_000: "1h", 86_400_000: "1d" };
  for (const [milliseconds, text] of Object.entries(ages)) assert.equal(span(Number(milliseconds)), text);
  assert.equal(span(-5000), "0s");
});

test("a duration has two units, and begun seconds count", () => {
  assert.equal(duration(1), "1 s");
  assert.equal(duration(250_000), "4 min 10 s");
  assert.equal(duration(5_400_000), "1 h 30 min");
  assert.equal(duration(90_000_000), "1 d 1 h");
});

test("in a later lap of a loop, the place in the file is that of the first lap", () => {
  const at = (time) => Date.parse(`${time}Z`);
  const [from, to] = [at("2024-01-03T14:30:00"), at("2024-01-03T14:33:00")];
  for (const day of ["03", "04", "31"]) assert.equal(inFile(at(`2024-01-${day}T14:31:00`), from, to), at("2024-01-03T14:31:00"));
  // A file of two days, of which one begins before midnight.
  const ends = [at("2024-01-03T23:00:00"), at("2024-01-04T01:00:00")];
  assert.equal(inFile(at("2024-01-04T00:30:00"), ...ends), at("2024-01-04T00:30:00"));
  assert.equal(inFile(at("2024-01-06T00:30:00"), ...ends), at("2024-01-04T00:30:00"));
});
