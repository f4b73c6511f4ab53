// Requests to the server's HTTP routes.

import { parse } from "./decimal.js";
import { ServerError } from "./errors.js";
import type { Answers, ErrorAnswer, FeedCommand, FeedStatus, SnapshotFrame } from "./generated.js";

/** The values of a URL's parameters. A list has commas between its values. */
export type Query = Record<string, string | number | readonly string[] | undefined>;

const LONGEST_WAIT = 10_000;
/** The longest list of symbols in one URL, in characters. */
const LONGEST_LIST = 4_000;

/** Returns the address under which all routes of the server lie. */
export function baseOf(url: string | URL | undefined): URL {
  const page = globalThis.location?.origin;
  if (!url && !page) throw new TypeError("outside a page, `url` is required, e.g. http://localhost:8000");
  const base = new URL(url ?? page, page);
  if (base.search) throw new TypeError(`\`url\` is ${base.href}, but symbols and other parameters are options of connect`);
  base.protocol = base.protocol.replace("ws", "http");
  base.pathname = base.pathname.replace(/(\/ws)?\/*$/, "/");
  return base;
}

/** The HTTP routes of a server. */
export class Http {
  constructor(
    readonly base: URL,
    private readonly token: string | undefined,
    private readonly fetch: typeof globalThis.fetch = (...request) => globalThis.fetch(...request),
  ) {}

  /**
   * Sends a request. Returns the answer if its status is a success. Throws a `ServerError` if the server refuses, and
   * the error of `fetch` if there is no answer.
   */
  async request(path: string, query: Query = {}, init: RequestInit = {}): Promise<Response> {
    const headers: HeadersInit = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    const response = await this.fetch(new URL(path + search(query), this.base), { cache: "no-store", headers, ...init });
    if (response.ok) return response;
    const body = (await response.json().catch(() => undefined)) as ErrorAnswer | undefined;
    const { status } = response;
    if (body?.error?.code) throw new ServerError(body.error.code, body.error.message, status);
    throw new ServerError("not_the_server", `the answer is HTTP ${status}, and not the server's`, status);
  }

  /** Returns the answer of a data route, whose path comes after `/api/v1/`. */
  async get<P extends keyof Answers>(path: P, query?: Query): Promise<Answers[P]> {
    const response = await this.request(`api/v1/${path}`, query, { signal: AbortSignal.timeout(LONGEST_WAIT) });
    return parse(await response.text()) as Answers[P];
  }

  /** Commands the feed. Returns its status after the command. */
  async control(command: FeedCommand): Promise<FeedStatus> {
    const response = await this.request("api/v1/feed", {}, { method: "POST", body: JSON.stringify(command) });
    return parse(await response.text()) as FeedStatus;
  }

  /** Returns the snapshots of symbols, or of all symbols for `*`. */
  async snapshots(symbols: readonly string[]): Promise<SnapshotFrame[]> {
    const found: SnapshotFrame[] = [];
    for (const list of symbols.includes("*") ? [["*"]] : lists(symbols)) {
      const { snapshots } = await this.get("snapshots", { symbols: list });
      found.push(...Object.values(snapshots));
    }
    return found;
  }

  /** Returns whether anything answers at the address, even if a page of another origin may not read the answer. */
  async answers(): Promise<boolean> {
    const signal = AbortSignal.timeout(LONGEST_WAIT);
    return this.fetch(this.base, { mode: "no-cors", signal }).then(() => true, () => false);
  }
}

function search(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return `${name}=${(Array.isArray(value) ? value : [String(value)]).map(encodeURIComponent).join(",")}`;
  });
  return pairs.length ? `?${pairs.join("&")}` : "";
}

/** Splits symbols into lists that are short enough for a URL. */
function lists(symbols: readonly string[]): string[][] {
  const all: string[][] = [];
  let length = LONGEST_LIST;
  for (const symbol of symbols) {
    length += encodeURIComponent(symbol).length + 1;
    if (length > LONGEST_LIST) {
      all.push([]);
      length = 0;
    }
    all.at(-1)?.push(symbol);
  }
  return all;
}
