// Requests to the server's HTTP routes.

import { parse } from "./decimal.js";
import { ServerError } from "./errors.js";
import type { Answers, ErrorAnswer, SnapshotFrame } from "./generated.js";

/** The values of a URL's parameters. */
export type Query = Record<string, string | number | readonly string[] | undefined>;

const LONGEST_WAIT = 10_000;
/** The most symbols in one URL. With the longest names, the URL is still short enough for the server. */
const MOST_SYMBOLS = 50;

/** Returns the address under which all routes of the server lie. */
export function baseOf(url: string | URL | undefined): URL {
  const page = globalThis.location?.origin;
  if (!url && !page) throw new TypeError("`url` is required");
  const base = new URL(url ?? page, page);
  if (base.search) throw new TypeError("`url` has parameters, but they are options of connect");
  base.protocol = base.protocol.replace("ws", "http");
  base.pathname = base.pathname.replace(/(\/ws)?\/*$/, "/");
  return base;
}

/** The HTTP routes of a server. */
export class Http {
  readonly base: URL;
  readonly #init: RequestInit;
  readonly #fetch: typeof globalThis.fetch;

  constructor(base: URL, token: string | undefined, fetch: typeof globalThis.fetch | undefined) {
    this.base = base;
    this.#init = token ? { headers: { Authorization: `Bearer ${token}` } } : {};
    this.#fetch = fetch ?? ((...request) => globalThis.fetch(...request));
  }

  /**
   * Sends a request. Returns the answer if its status is a success. Throws a `ServerError` if the server
   * refuses, and the error of `fetch` if there is no answer.
   */
  async request(path: string, query: Query = {}, init?: RequestInit): Promise<Response> {
    const url = new URL(path, this.base);
    // A plus sign of a symbol must not become a space, as it would in `URLSearchParams`.
    const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
    url.search = pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&");
    const response = await this.#fetch(url, { ...this.#init, ...init });
    const { ok, status } = response;
    if (ok) return response;
    const body = (await response.json().catch(() => undefined)) as ErrorAnswer | undefined;
    if (body?.error) throw new ServerError(body.error.code, body.error.message, status);
    throw new ServerError("not_the_server", `the answer is HTTP ${status}, and not the server's`, status);
  }

  /** Returns the answer of a data route, whose path comes after `/api/v1/`. */
  async get<P extends keyof Answers>(path: P, query?: Query, init?: RequestInit): Promise<Answers[P]> {
    const signal = AbortSignal.timeout(LONGEST_WAIT);
    const response = await this.request("api/v1/" + path, query, { signal, ...init });
    return parse(await response.text()) as Answers[P];
  }

  /** Returns the snapshots of symbols, or of all symbols for `*`. */
  async snapshots(symbols: readonly string[]): Promise<SnapshotFrame[]> {
    const all = symbols.includes("*") ? ["*"] : symbols;
    const found: SnapshotFrame[] = [];
    for (let from = 0; from < all.length; from += MOST_SYMBOLS) {
      const page = await this.get("snapshots", { symbols: all.slice(from, from + MOST_SYMBOLS) });
      found.push(...Object.values(page.snapshots));
    }
    return found;
  }
}
