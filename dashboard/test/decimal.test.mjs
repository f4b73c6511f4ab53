// Exact decimals, as the page writes them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { compare, grouped, places, short, signed, subtract } from "../src/market/decimal";

test("a difference has every digit", () => {
  assert.equal(subtract("0.3", "0.1"), "0.2");
  assert.equal(subtract("184.25", "184.2"), "0.05");
  assert.equal(subtract("1", "1.000"), "0.000");
  assert.equal(subtract("-0.05", "0.05"), "-0.10");
  assert.equal(subtract("79228162514264337593543950335", "0.1"), "79228162514264337593543950334.9");
});

test("numbers are compared exactly, also where doubles are equal", () => {
  assert.ok(compare("9007199254740993", "9007199254740992") > 0);
  assert.ok(compare("0.1", "0.10000000000000000001") < 0);
  assert.equal(compare("1.50", "1.5"), 0);
  assert.ok(compare("-2", "-1") < 0);
});

test("a price has separators between thousands, and the decimals of its symbol", () => {
  assert.equal(grouped("1234.5", 2), "1,234.50");
  assert.equal(grouped("-1234567.125", 2), "-1,234,567.125");
  assert.equal(grouped("-123", 0), "-123");
  assert.equal(grouped("999", 2), "999.00");
  assert.equal(grouped("0.00001234", 2), "0.00001234");
  assert.equal(places("184.250"), 3);
  assert.equal(places("184"), 0);
});

test("a change has a sign, and none is nothing", () => {
  assert.equal(signed("0.35"), "+0.35");
  assert.equal(signed("-0.35"), "−0.35");
  assert.equal(signed("0.00"), "0.00");
});

test("a volume is short, and never has four digits before its letter", () => {
  assert.equal(short("0"), "0");
  assert.equal(short("9999"), "9,999");
  assert.equal(short("0.25"), "0.25");
  assert.equal(short("12345"), "12.3K");
  assert.equal(short("123456"), "123K");
  assert.equal(short("999499"), "999K");
  assert.equal(short("999500"), "1.00M");
  assert.equal(short("1204000"), "1.20M");
  assert.equal(short("9994999"), "9.99M");
  assert.equal(short("9995000"), "10.0M");
  assert.equal(short("99950000"), "100M");
  assert.equal(short("2500000000"), "2.50B");
  assert.equal(short("1000000000000"), "1.00T");
  assert.equal(short("1234000000000000"), "1,230T");
});
