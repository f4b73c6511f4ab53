// The state of the page, and what a person can do to it: the connections, the watchlists, the opened symbol, the look.

import type { Client, State } from "tickerplant";
import { FeedWatch } from "./feed/feed_watch";
import type { Instrument } from "./market/instrument";
import type { Interval } from "./market/time";
import type { Panel } from "./panels/buttons";
import { ServerFacts } from "./session/server_facts";
import { type Session, openSymbol, openTable, subscribe } from "./session/session";
import { useToken } from "./session/token";
import { type Sort, readAddress, writeAddress } from "./state/address";
import { type Preferences, applyPreferences, loadPreferences } from "./state/preferences";
import { Watchlists } from "./state/watchlists";
import { Notices } from "./status/notices";
import { COLUMNS } from "./table/columns";
import { type View, sameOr } from "./table/order";

/** What draws the page. */
export interface Viewer {
  /** Draws the page again. */
  changed(): void;
  /** There is a new connection for the table and the relay. */
  connected(client: Client): void;
  /** Draws what a batch of events has changed. */
  arrived(instruments: Instrument[]): void;
  /** The feed goes on from another time. */
  sought(): void;
}

export class Page {
  readonly watch: FeedWatch;
  readonly lists: Watchlists;
  readonly facts = new ServerFacts();
  readonly notices = new Notices();
  preferences: Preferences = loadPreferences();
  /** The connection of the table. On a page for one symbol, that of the symbol. */
  table!: Session;
  /** The connection of the opened symbol. */
  opened: Session | undefined;
  /** The opened symbol, or empty. */
  symbol: string;
  /** Whether the page shows the opened symbol alone. */
  readonly alone: boolean;
  selected: string;
  sort: Sort | undefined;
  interval: Interval;
  /** Whether a person has chosen the interval. */
  isChosen: boolean;
  filter = "";
  panel: Panel | undefined;
  isRelayOpen = false;
  unread = 0;
  /** The number of rows in the table. */
  rows = 0;
  /** When the client connects again, in milliseconds. */
  retryAt = 0;
  private lastView: View = { symbols: undefined, filter: "", sort: undefined };

  constructor(private readonly viewer: Viewer) {
    const { address, faults } = readAddress();
    this.watch = new FeedWatch(() => viewer.changed());
    this.notices.faults = faults;
    this.alone = Boolean(address.symbol && !address.symbols);
    this.lists = new Watchlists(this.alone ? undefined : address.symbols);
    this.sort = COLUMNS.some(({ id }) => id === address.sort?.column) ? address.sort : undefined;
    this.interval = address.interval ?? "1m";
    this.isChosen = address.interval !== undefined;
    this.symbol = this.selected = address.symbol ?? "";
    applyPreferences(this.preferences);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.look(this.preferences));
  }

  /** Connects anew, with the present token. */
  connect(): void {
    this.table?.client.close();
    this.opened?.client.close();
    this.table = this.alone
      ? openSymbol(this.symbol)
      : openTable(this.lists.current.symbols, (instruments) => this.viewer.arrived(instruments));
    const { client } = this.table;
    client.on("state", (state) => this.entered(client, state));
    client.on("feed", ({ position }) => {
      if (position) this.viewer.sought();
      this.viewer.changed();
    });
    client.on("gap", (gap) => {
      this.notices.takeGap(gap);
      this.viewer.changed();
    });
    this.notices.refusal = "";
    this.watch.follow(client);
    if (this.alone) this.opened = this.table;
    else this.opened = this.symbol ? openSymbol(this.symbol) : undefined;
    this.viewer.connected(client);
    this.viewer.changed();
  }

  private entered(client: Client, state: State): void {
    if (state.state === "reconnecting") this.retryAt = Date.now() + state.inMs;
    if (state.state === "live") void this.facts.learn(client).then(() => this.viewer.changed());
    this.viewer.changed();
  }

  /** Uses another token. */
  authorize(token: string): void {
    useToken(token);
    this.connect();
  }

  /** What the table shows. It is the same object as long as nothing changes. */
  get view(): View {
    const symbols = this.lists.hasEvery ? undefined : this.lists.current.symbols;
    this.lastView = sameOr(this.lastView, { symbols, filter: this.filter, sort: this.sort });
    return this.lastView;
  }

  /** Changes the watchlists, and then the subscription. */
  async edit(change: (lists: Watchlists) => void): Promise<void> {
    const before = this.lists.current.symbols;
    change(this.lists);
    this.save();
    this.notices.refusal = await subscribe(this.table.client, before, this.lists.current.symbols);
    this.viewer.changed();
  }

  /** Removes the selected symbol from its watchlist. */
  removeSelected(): void {
    if (this.selected && !this.lists.hasEvery) void this.edit((lists) => lists.remove(this.selected));
  }

  /** Moves the selected symbol within its watchlist. */
  shiftSelected(by: number): void {
    const at = this.lists.current.symbols.indexOf(this.selected);
    if (at >= 0) void this.edit((lists) => lists.move(this.selected, at + by));
  }

  select(symbol: string): void {
    this.selected = symbol;
    this.viewer.changed();
  }

  sortBy(sort: Sort | undefined): void {
    this.sort = sort;
    this.save();
  }

  filterBy(text: string): void {
    this.filter = text;
    this.viewer.changed();
  }

  /** Opens a symbol beside the table. */
  open(symbol: string): void {
    const before = this.symbol;
    this.symbol = this.selected = symbol;
    if (!this.opened) this.opened = openSymbol(symbol);
    else void subscribe(this.opened.client, [before], [symbol]);
    this.save();
  }

  /** Chooses the length of the candles. */
  choose(interval: Interval): void {
    this.interval = interval;
    this.isChosen = true;
    this.save();
  }

  /** Opens a panel. Opens or closes the relay. */
  show(panel: Panel | "relay"): void {
    if (panel === "relay") this.isRelayOpen = !this.isRelayOpen;
    else this.panel = panel;
    this.viewer.changed();
  }

  /** Closes what lies on top: a panel, the relay, the opened symbol, or else the filter. */
  close(): void {
    if (this.panel) this.panel = undefined;
    else if (this.isRelayOpen) this.isRelayOpen = false;
    else if (this.alone) location.assign(".");
    else if (this.symbol) this.closeSymbol();
    else this.filter = "";
    this.viewer.changed();
  }

  private closeSymbol(): void {
    this.opened?.client.close();
    this.opened = undefined;
    this.symbol = "";
    this.save();
  }

  look(preferences: Preferences): void {
    this.preferences = { ...preferences };
    applyPreferences(preferences);
    this.viewer.changed();
  }

  /** Puts the state into the address. */
  private save(): void {
    const symbols = this.alone || (this.lists.hasEvery && !this.symbol) ? undefined : this.lists.current.symbols;
    writeAddress({
      ...(symbols && { symbols }),
      ...(this.symbol && { symbol: this.symbol }),
      ...(this.sort && { sort: this.sort }),
      ...(this.isChosen && { interval: this.interval }),
    });
    this.viewer.changed();
  }
}
