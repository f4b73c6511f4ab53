// The connections of the page: one for the table, conflated, and one for the opened symbol, at the full rate.

import { connect, type Client } from "tickerplant";
import type { Instrument } from "../market/instrument";
import { Market } from "../market/market";
import { currentToken } from "./token";

/** The interval within which the server conflates the table's events, in milliseconds. */
const TABLE_INTERVAL = 250;

/** A client, and what has come of its symbols. */
export interface Session {
  client: Client;
  market: Market;
}

function open(symbols: string[], intervalMs: number, changed: (instruments: Instrument[]) => void): Session {
  const token = currentToken();
  const client = connect({ url: new URL(".", location.href).href, symbols, intervalMs, ...(token && { token }) });
  const market = new Market();
  market.follow(client, changed);
  return { client, market };
}

/** Connects for the table. */
export const openTable = (symbols: string[], changed: (instruments: Instrument[]) => void): Session =>
  open(symbols, TABLE_INTERVAL, changed);

/** Connects for one symbol, at the full rate. */
export const openSymbol = (symbol: string): Session => open([symbol], 0, () => {});

/** Changes the symbols of a client. Returns a text about what the server refuses, or an empty text. */
export async function subscribe(client: Client, before: string[], after: string[]): Promise<string> {
  const gone = before.filter((symbol) => !after.includes(symbol));
  const added = after.filter((symbol) => !before.includes(symbol));
  try {
    if (added.length) await client.subscribe(added);
    if (gone.length) await client.unsubscribe(gone);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
