// The address of the page, and the watchlists.

import assert from "node:assert/strict";
import { test } from "node:test";

import { query, readAddress, writeAddress } from "../src/state/address";
import { Watchlists } from "../src/state/watchlists";
import { openPage } from "./browser.mjs";

const PAGE = "http://127.0.0.1:8080/";

test("an address is read as it was written", () => {
  openPage(PAGE);
  const address = {
    symbols: ["BRK/B", "BTC-USD", "C+1", "Ü&X"],
    symbol: "BRK/B",
    sort: { column: "change_percent", descending: true },
    interval: "5m",
  };
  writeAddress(address);
  assert.match(location.search, /^\?symbols=BRK\/B,BTC-USD,/);
  assert.deepEqual(readAddress(), { address, faults: [] });
});

test("symbols in an address lose blanks and repetitions", () => {
  openPage(`${PAGE}?symbols=AAPL,%20MSFT,,AAPL`);
  assert.deepEqual(readAddress().address.symbols, ["AAPL", "MSFT"]);
  openPage(`${PAGE}?symbols=`);
  assert.deepEqual(readAddress().address.symbols, []);
});

test("what is wrong with an address is said, and the rest is taken", () => {
  openPage(`${PAGE}?symbols=AAPL&interval=2m&colour=red`);
  const { address, faults } = readAddress();
  assert.deepEqual(address, { symbols: ["AAPL"] });
  assert.equal(faults.length, 2);
  assert.match(faults[0], /"2m" is not an interval; intervals are 1s, /);
  assert.match(faults[1], /no parameter "colour"/);
});

test("a token leaves the address, and the rest stays as it was", () => {
  openPage(`${PAGE}?symbols=AAPL,MSFT&token=secret`);
  readAddress();
  assert.equal(location.href, `${PAGE}?symbols=AAPL,MSFT`);
});

test("an address without anything is that of the page, and an interval needs a symbol", () => {
  openPage(`${PAGE}ticks/`);
  assert.equal(query({}), "/ticks/");
  assert.equal(query({ interval: "1m" }), "/ticks/");
});

test("watchlists are stored, and come back in the next page", () => {
  openPage(PAGE);
  const lists = new Watchlists();
  assert.equal(lists.hasEvery, true);
  lists.add("AAPL");
  assert.deepEqual(lists.current.symbols, ["*"]);
  lists.create("Watchlist", ["AAPL"]);
  lists.create(" ", []);
  assert.equal(lists.current.name, "Watchlist 2");
  for (const symbol of ["A", "B", "C", "B"]) lists.add(symbol);
  lists.move("C", 0);
  lists.move("A", 99);
  assert.deepEqual(lists.current.symbols, ["C", "B", "A"]);
  lists.remove("B");
  lists.rename("Watchlist");
  assert.equal(lists.current.name, "Watchlist 3");

  const next = new Watchlists();
  assert.deepEqual(next.all.map(({ name }) => name), ["All symbols", "Watchlist", "Watchlist 3"]);
  assert.deepEqual(next.current.symbols, ["C", "A"]);
  next.delete();
  assert.equal(next.hasEvery, true);
  assert.equal(new Watchlists().all.length, 2);
});

test("the symbols of an address choose the list that has them, or make one that is not stored", () => {
  openPage(PAGE);
  new Watchlists().create("Mine", ["AAPL", "MSFT"]);
  assert.equal(new Watchlists(["AAPL", "MSFT"]).current.name, "Mine");
  assert.equal(new Watchlists(["*"]).hasEvery, true);
  const other = new Watchlists(["MSFT", "AAPL"]);
  assert.equal(other.current.name, "From the address");
  assert.equal(new Watchlists().all.length, 2);
});

test("a browser without storage has watchlists until the page is closed", () => {
  openPage(PAGE);
  localStorage.getItem = localStorage.setItem = () => {
    throw new Error("blocked");
  };
  const lists = new Watchlists();
  lists.create("Mine", ["AAPL"]);
  assert.deepEqual(lists.current.symbols, ["AAPL"]);
});
