// Which instruments the table shows, and in which order.

import { Instrument } from "../market/instrument";
import type { Features, Market } from "../market/market";
import type { Sort } from "../state/address";
import { COLUMNS } from "./columns";

/** What the order depends on. */
export interface View {
  /** The symbols of the watchlist in their order, or nothing for every symbol. */
  symbols: string[] | undefined;
  filter: string;
  sort: Sort | undefined;
}

/** Returns the old view if the new one is equal, so that the table need not order its rows again. */
export function sameOr(old: View, next: View): View {
  return old.symbols === next.symbols && old.filter === next.filter && old.sort === next.sort ? old : next;
}

/**
 * Returns the instruments of a view in their order. Symbols without data are there too, so that a person sees what
 * was added. Without a sort, a watchlist keeps its own order, and all symbols are in alphabetical order.
 */
export function ordered(market: Market, { symbols, filter, sort }: View): Instrument[] {
  const part = filter.trim().toUpperCase();
  const all = symbols
    ? symbols.map((symbol) => market.instruments.get(symbol) ?? new Instrument(symbol))
    : [...market.instruments.values()];
  const shown = part ? all.filter(({ symbol }) => symbol.toUpperCase().includes(part)) : all;
  const column = COLUMNS.find(({ id }) => id === sort?.column);
  if (!column) return symbols ? shown : shown.sort(bySymbol);
  const turn = sort!.descending ? -1 : 1;
  const keyed = shown.map((instrument) => ({ instrument, value: column.value(instrument) }));
  keyed.sort((a, b) => byValue(a.value, b.value, turn) || bySymbol(a.instrument, b.instrument));
  return keyed.map(({ instrument }) => instrument);
}

/** Returns the sort by the column that follows the sorted one. */
export function nextSort(features: Features, sort: Sort | undefined): Sort {
  const shown = COLUMNS.filter(({ isShown }) => isShown(features));
  const next = shown[(shown.findIndex(({ id }) => id === sort?.column) + 1) % shown.length]!;
  return { column: next.id, descending: !next.isText };
}

const bySymbol = (a: Instrument, b: Instrument) => (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0);

/** Compares two values of a column. Missing values come last in both directions. */
function byValue(a: number | string | undefined, b: number | string | undefined, turn: number): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? 1 : -1;
  return a === b ? 0 : a < b ? -turn : turn;
}
