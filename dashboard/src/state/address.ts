// The address of the page: `?symbols=AAPL,MSFT&sort=-change_percent&symbol=AAPL&interval=1m`.
//
// With `symbol` alone, the page shows this symbol alone. With `symbols` too, it shows the symbol beside the table.

import { INTERVALS, type Interval } from "../market/time";
import { useToken } from "../session/token";

export interface Sort {
  column: string;
  descending: boolean;
}

export interface Address {
  symbols?: string[];
  symbol?: string;
  sort?: Sort;
  interval?: Interval;
}

const PARAMETERS = ["symbols", "symbol", "sort", "interval", "token"];

/** Reads the address of the page, and what is wrong with it. Takes a token out of the address bar. */
export function readAddress(): { address: Address; faults: string[] } {
  const address: Address = {};
  const faults: string[] = [];
  // As on the server, a plus sign is a plus sign.
  for (const [name, value] of new URLSearchParams(location.search.replaceAll("+", "%2B"))) {
    if (name === "symbols") address.symbols = split(value);
    else if (name === "symbol") address.symbol = value;
    else if (name === "sort") address.sort = { column: value.replace(/^-/, ""), descending: value.startsWith("-") };
    else if (name === "interval" && Object.hasOwn(INTERVALS, value)) address.interval = value as Interval;
    else if (name === "interval")
      faults.push(`"${value}" is not an interval; intervals are ${Object.keys(INTERVALS).join(", ")}.`);
    else if (name === "token") hide(value);
    else faults.push(`This page has no parameter "${name}". Its parameters are ${PARAMETERS.join(", ")}.`);
  }
  return { address, faults };
}

/** Keeps a token for this tab, and takes it out of the address bar, because people see and copy the address. */
function hide(token: string): void {
  useToken(token);
  const url = new URL(location.href);
  url.searchParams.delete("token");
  url.search = url.search.replaceAll("%2C", ",").replaceAll("%2A", "*");
  history.replaceState(null, "", url);
}

/** Returns the query of an address. Commas, slashes and colons stay readable. */
export function query({ symbols, symbol, sort, interval }: Address): string {
  const parameters: string[] = [];
  const add = (name: string, value: string) =>
    parameters.push(`${name}=${encodeURIComponent(value).replace(/%(2C|2F|3A|2A)/g, decodeURIComponent)}`);
  if (symbols) add("symbols", symbols.join(","));
  if (symbol) add("symbol", symbol);
  if (sort) add("sort", (sort.descending ? "-" : "") + sort.column);
  if (interval && symbol) add("interval", interval);
  return parameters.length ? `?${parameters.join("&")}` : location.pathname;
}

/** Puts the address into the address bar. */
export function writeAddress(address: Address): void {
  history.replaceState(null, "", query(address));
}

function split(text: string): string[] {
  return [
    ...new Set(
      text
        .split(",")
        .map((symbol) => symbol.trim())
        .filter(Boolean),
    ),
  ];
}
