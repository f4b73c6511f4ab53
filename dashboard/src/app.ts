// The page: owns the connections, the watchlists and the address, and lays out the parts.

import type { Client, State } from "tickerplant";
import { LitElement, html, nothing } from "lit";
import { keyed } from "lit/directives/keyed.js";
import "./detail/detail";
import "./feed/feed_bar";
import type { FeedBar } from "./feed/feed_bar";
import { FeedWatch } from "./feed/feed_watch";
import type { Instrument } from "./market/instrument";
import type { Interval } from "./market/time";
import { access } from "./panels/access";
import "./panels/connect";
import "./panels/dialog";
import "./panels/relay";
import type { Relay } from "./panels/relay";
import "./panels/settings";
import { PANELS, buttons, type Panel } from "./panels/buttons";
import { actionOf, sheet, type Action } from "./panels/shortcuts";
import "./panels/watchlist_bar";
import { ServerFacts } from "./session/server_facts";
import { openSymbol, openTable, subscribe, type Session } from "./session/session";
import { currentToken, useToken } from "./session/token";
import { readAddress, writeAddress, type Address, type Sort } from "./state/address";
import { applyPreferences, loadPreferences, type Preferences } from "./state/preferences";
import { Watchlists } from "./state/watchlists";
import { Notices } from "./status/notices";
import "./status/status_bar";
import { statusOf } from "./status/status_words";
import { COLUMNS } from "./table/columns";
import { nextSort, sameOr, type View } from "./table/order";
import "./table/table";
import type { PriceTable } from "./table/table";

class App extends LitElement {
  private readonly watch = new FeedWatch(() => this.requestUpdate());
  private readonly lists: Watchlists;
  private preferences: Preferences = loadPreferences();
  private table!: Session;
  private opened: Session | undefined;
  /** The opened symbol, and whether the page shows it alone. */
  private symbol = "";
  private readonly alone: boolean;
  private selected = "";
  private sort: Sort | undefined;
  private interval: Interval = "1m";
  /** Whether a person has chosen the interval. */
  private isChosen = false;
  private filter = "";
  private readonly facts = new ServerFacts();
  private panel: Panel | undefined;
  private isRelayOpen = false;
  private unread = 0;
  private retryAt = 0;
  private rows = 0;
  private readonly notices = new Notices();
  private view: View = { symbols: undefined, filter: "", sort: undefined };

  constructor() {
    super();
    const { address, faults } = readAddress();
    this.notices.faults = faults;
    this.alone = Boolean(address.symbol && !address.symbols);
    this.lists = new Watchlists(this.alone ? undefined : address.symbols);
    this.sort = COLUMNS.some(({ id }) => id === address.sort?.column) ? address.sort : undefined;
    this.interval = address.interval ?? "1m";
    this.isChosen = address.interval !== undefined;
    this.symbol = this.selected = address.symbol ?? "";
    applyPreferences(this.preferences);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.look(this.preferences));
    document.addEventListener("keydown", (event) => this.pressed(event));
    setInterval(() => this.requestUpdate(), 1000);
  }

  override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.connect();
  }

  /** Connects anew, with the present token. */
  private connect(): void {
    this.table?.client.close();
    this.opened?.client.close();
    this.opened = undefined;
    const symbols = this.alone ? [this.symbol] : this.lists.current.symbols;
    const session = this.alone ? openSymbol(this.symbol) : openTable(symbols, (changed) => this.changed(changed));
    this.table = session;
    this.notices.refusal = "";
    session.client.on("state", (state) => this.entered(session.client, state));
    session.client.on("feed", ({ position }) => {
      if (position) this.priceTable?.sparklines.clear();
      this.requestUpdate();
    });
    session.client.on("gap", (gap) => {
      this.notices.takeGap(gap);
      this.requestUpdate();
    });
    this.watch.follow(session.client);
    if (this.alone) this.opened = session;
    else if (this.symbol) this.opened = openSymbol(this.symbol);
    this.requestUpdate();
    void this.updateComplete.then(() => {
      this.querySelector<Relay>("tp-relay")?.listen(session.client);
      if (this.priceTable) this.priceTable.sparklines.client = session.client;
    });
  }

  private get priceTable(): PriceTable | null {
    return this.querySelector<PriceTable>("tp-table");
  }

  private entered(client: Client, state: State): void {
    if (state.state === "reconnecting") this.retryAt = Date.now() + state.inMs;
    if (state.state === "live") void this.facts.learn(client).then(() => this.requestUpdate());
    this.requestUpdate();
  }

  /** Draws what a batch of events has changed. */
  private changed(instruments: Instrument[]): void {
    const table = this.priceTable;
    for (const instrument of instruments) table?.sparklines.push(instrument);
    table?.draw();
  }

  /** Changes the watchlists, and then the subscription. */
  private async edit(change: (lists: Watchlists) => void): Promise<void> {
    const before = this.lists.current.symbols;
    change(this.lists);
    this.save();
    this.notices.refusal = await subscribe(this.table.client, before, this.lists.current.symbols);
    this.requestUpdate();
  }

  private save(): void {
    const symbols = this.lists.hasEvery && !this.symbol ? undefined : this.lists.current.symbols;
    const address: Address = { ...(!this.alone && symbols && { symbols }), ...(this.symbol && { symbol: this.symbol }), ...(this.sort && { sort: this.sort }), ...(this.isChosen && { interval: this.interval }) };
    writeAddress(address);
    this.requestUpdate();
  }

  private async open(symbol: string): Promise<void> {
    const before = this.symbol;
    this.symbol = this.selected = symbol;
    if (!this.opened) this.opened = openSymbol(symbol);
    else void subscribe(this.opened.client, [before], [symbol]);
    this.save();
  }

  /** Opens a panel. Opens or closes the relay. */
  private show(panel: Panel | "relay"): void {
    if (panel === "relay") this.isRelayOpen = !this.isRelayOpen;
    else this.panel = panel;
    this.requestUpdate();
  }

  private choose(interval: Interval): void {
    this.interval = interval;
    this.isChosen = true;
    this.save();
  }

  private close(): void {
    if (this.panel) this.panel = undefined;
    else if (this.isRelayOpen) this.isRelayOpen = false;
    else if (this.alone) location.assign(".");
    else if (this.symbol) {
      this.opened?.client.close();
      this.opened = undefined;
      this.symbol = "";
      this.save();
      this.querySelector<HTMLElement>(".scroller")?.focus();
    } else this.filter = "";
    this.requestUpdate();
  }

  private look(preferences: Preferences): void {
    this.preferences = { ...preferences };
    applyPreferences(preferences);
    this.requestUpdate();
  }

  private authorize(token: string): void {
    useToken(token);
    this.connect();
  }

  private pressed(event: KeyboardEvent): void {
    const action = actionOf(event);
    if (!action || (this.panel && action !== "close")) return;
    event.preventDefault();
    this.act(action);
    this.requestUpdate();
  }

  private act(action: Action): void {
    const table = this.priceTable;
    switch (action) {
      case "filter": return this.querySelector<HTMLInputElement>(".filter")?.focus();
      case "down": return table?.move(1);
      case "up": return table?.move(-1);
      case "page-down": return table?.move(15);
      case "page-up": return table?.move(-15);
      case "open": {
        const symbol = this.selected || table?.firstSymbol;
        if (symbol) void this.open(symbol);
        return;
      }
      case "close": return this.close();
      case "remove": return this.removeSelected();
      case "sort": return this.sortBy(nextSort(this.table.market.features, this.sort));
      case "turn": return this.sortBy(this.sort && { ...this.sort, descending: !this.sort.descending });
      case "pause": return this.querySelector<FeedBar>("tp-feed-bar")?.toggle();
      case "relay": return this.show("relay");
      case "help": return this.show("keys");
      case "move-up": return this.shift(-1);
      case "move-down": return this.shift(1);
    }
  }

  private removeSelected(): void {
    if (this.selected && !this.lists.hasEvery) void this.edit((lists) => lists.remove(this.selected));
  }

  private shift(by: number): void {
    const at = this.lists.current.symbols.indexOf(this.selected);
    if (at >= 0) void this.edit((lists) => lists.move(this.selected, at + by));
  }

  private sortBy(sort: Sort | undefined): void {
    this.sort = sort;
    this.save();
  }

  /** Returns the content of the open panel. */
  private content() {
    switch (this.panel) {
      case "connect":
        return html`<tp-connect .symbols=${this.alone ? [this.symbol] : this.lists.current.symbols} .hasTokens=${this.facts.tokens}></tp-connect>`;
      case "settings":
        return html`<tp-settings .preferences=${this.preferences} .owner=${this.table.client.access?.name ?? ""} .hasToken=${currentToken() !== ""}
          @change-preferences=${(event: CustomEvent<Preferences>) => this.look(event.detail)} @forget=${() => this.authorize("")}></tp-settings>`;
      case "keys":
        return sheet();
      default:
        return nothing;
    }
  }

  override render() {
    const { client, market } = this.table;
    const { lists, opened, symbol, watch } = this;
    const status = statusOf(client, this.retryAt);
    document.title = `${status.word} · tickerplant`;
    document.body.dataset.stale = String(status.isStale);
    const view = this.view = sameOr(this.view, { symbols: lists.hasEvery ? undefined : lists.current.symbols, filter: this.filter, sort: this.sort });
    const detail = symbol && opened ? keyed(opened, html`<tp-detail .symbol=${symbol} .interval=${this.interval} .chosen=${this.isChosen} .market=${opened.market} .client=${opened.client} .alone=${this.alone} .look=${this.preferences}
      @interval=${(event: CustomEvent<Interval>) => { this.interval = event.detail; this.requestUpdate(); }}
      @choose=${(event: CustomEvent<Interval>) => this.choose(event.detail)} @close=${() => this.close()}></tp-detail>`) : nothing;
    return html`<header class="top">
        <h1>tickerplant</h1>
        <p class="connection" data-tone=${status.tone}><b role="status">${status.word}</b> ${status.progress}${status.detail ? html`<span title=${status.detail}>${status.detail}</span>` : nothing}</p>
        ${this.alone ? nothing : html`<tp-watchlist-bar .lists=${lists} .names=${this.facts.names} .filter=${this.filter} .version=${lists.current}
          @choose=${(event: CustomEvent<number>) => this.edit((all) => all.choose(event.detail))} @create=${() => this.edit((all) => all.create("Watchlist", this.selected ? [this.selected] : []))}
          @rename=${(event: CustomEvent<string>) => this.edit((all) => all.rename(event.detail))} @delete=${() => this.edit((all) => all.delete())}
          @need-names=${() => this.facts.learnNames(client).then(() => this.requestUpdate())}
          @add=${(event: CustomEvent<string>) => this.edit((all) => all.add(event.detail))}
          @filter=${(event: CustomEvent<string>) => { this.filter = event.detail; this.requestUpdate(); }}></tp-watchlist-bar>`}
        ${buttons(this.isRelayOpen, this.unread, (panel) => this.show(panel))}
      </header>
      <tp-feed-bar role="region" aria-label="Feed" .watch=${watch} .client=${client} .time=${Date.parse(market.time)} .tick=${Date.now()}></tp-feed-bar>
      ${this.notices.render(client, () => this.requestUpdate())}
      <main class=${this.alone ? "alone" : symbol ? "split" : "whole"}>
        ${access(client.state, (token) => this.authorize(token), () => client.reconnect())}
        ${this.alone ? nothing : html`<tp-table .market=${market} .view=${view} .selected=${this.selected} .look=${this.preferences}
          @sort=${(event: CustomEvent<Sort | undefined>) => this.sortBy(event.detail)} @open=${(event: CustomEvent<string>) => this.open(event.detail)}
          @select=${(event: CustomEvent<string>) => { this.selected = event.detail; this.requestUpdate(); }}
          @remove-symbol=${(event: CustomEvent<string>) => this.edit((all) => all.remove(event.detail))}
          @move-symbol=${(event: CustomEvent<{ symbol: string; to: number }>) => this.edit((all) => all.move(event.detail.symbol, event.detail.to))}
          @ordered=${(event: CustomEvent<string>) => { this.rows = Number(event.detail); }}></tp-table>`}
        ${detail}
      </main>
      <tp-relay .client=${client} .open=${this.isRelayOpen} .limit=${this.facts.relayBytes} .closed=${this.facts.relayClosed}
        @close=${() => { this.isRelayOpen = false; this.requestUpdate(); }} @unread=${(event: CustomEvent<number>) => { this.unread = event.detail; this.requestUpdate(); }}
        @closed=${(event: CustomEvent<string>) => { this.facts.relayClosed = event.detail; this.requestUpdate(); }}></tp-relay>
      <tp-status-bar role="contentinfo" .client=${client} .report=${watch.report} .receivedAt=${market.receivedAt} .rows=${this.alone ? 1 : this.rows} .version=${this.facts.version} .tick=${Date.now()}></tp-status-bar>
      <tp-dialog .heading=${this.panel ? PANELS[this.panel] : ""} .content=${this.content()} @close-dialog=${() => this.close()}></tp-dialog>`;
  }
}

customElements.define("tp-app", App);
