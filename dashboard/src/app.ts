// The page at `/`: lays out the parts, and passes on what a person does.

import type { Client } from "tickerplant";
import { LitElement, html, nothing } from "lit";
import { keyed } from "lit/directives/keyed.js";
import "./detail/detail";
import "./feed/feed_bar";
import type { FeedBar } from "./feed/feed_bar";
import type { Instrument } from "./market/instrument";
import type { Interval } from "./market/time";
import { Page, type Viewer } from "./page";
import { access } from "./panels/access";
import { PANELS, buttons } from "./panels/buttons";
import "./panels/connect";
import "./panels/dialog";
import "./panels/relay";
import type { Relay } from "./panels/relay";
import "./panels/settings";
import { type Action, actionOf, sheet } from "./panels/shortcuts";
import "./panels/watchlist_bar";
import { currentToken } from "./session/token";
import type { Sort } from "./state/address";
import type { Preferences } from "./state/preferences";
import "./status/status_bar";
import { type Status, statusOf } from "./status/status_words";
import { nextSort } from "./table/order";
import "./table/table";
import type { PriceTable } from "./table/table";

/** How many rows a key for a page moves. */
const PAGE = 15;

class App extends LitElement implements Viewer {
  readonly page = new Page(this);

  constructor() {
    super();
    document.addEventListener("keydown", (event) => this.pressed(event));
    setInterval(() => this.changed(), 1000);
  }

  override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.page.connect();
  }

  private get table(): PriceTable | null {
    return this.querySelector<PriceTable>("tp-table");
  }

  changed(): void {
    this.requestUpdate();
  }

  connected(client: Client): void {
    void this.updateComplete.then(() => {
      this.querySelector<Relay>("tp-relay")?.listen(client);
      if (this.table) this.table.sparklines.client = client;
    });
  }

  arrived(instruments: Instrument[]): void {
    const { table } = this;
    for (const instrument of instruments) table?.sparklines.push(instrument);
    table?.draw();
  }

  sought(): void {
    this.table?.sparklines.clear();
  }

  private pressed(event: KeyboardEvent): void {
    const action = actionOf(event);
    const { page } = this;
    if (!action || (page.panel && action !== "close")) return;
    event.preventDefault();
    const field = event.target as HTMLElement;
    if (action === "close" && field.matches(".filter")) {
      page.filterBy("");
      field.blur();
    } else {
      this.act(action);
    }
  }

  private act(action: Action): void {
    const { page, table } = this;
    switch (action) {
      case "filter":
        return this.querySelector<HTMLInputElement>(".filter")?.focus();
      case "down":
        return table?.move(1);
      case "up":
        return table?.move(-1);
      case "page-down":
        return table?.move(PAGE);
      case "page-up":
        return table?.move(-PAGE);
      case "open": {
        const symbol = page.selected || table?.firstSymbol;
        return symbol ? page.open(symbol) : undefined;
      }
      case "close":
        page.close();
        return this.querySelector<HTMLElement>(".scroller")?.focus();
      case "remove":
        return page.removeSelected();
      case "sort":
        return page.sortBy(nextSort(page.table.market.features, page.sort));
      case "turn":
        return page.sortBy(page.sort && { ...page.sort, descending: !page.sort.descending });
      case "pause":
        return this.querySelector<FeedBar>("tp-feed-bar")?.toggle();
      case "relay":
        return page.show("relay");
      case "help":
        return page.show("keys");
      case "move-up":
        return page.shiftSelected(-1);
      case "move-down":
        return page.shiftSelected(1);
    }
  }

  /** The first line: the state of the connection, the watchlists, the buttons. */
  private top({ tone, word, progress, detail }: Status) {
    const { page } = this;
    const { lists, facts } = page;
    const why = detail ? html`<span title=${detail}>${detail}</span>` : nothing;
    const connection = html`<p class="connection" data-tone=${tone}>
      <b role="status">${word}</b> ${progress} ${why}
    </p>`;
    const bar = html`<tp-watchlist-bar
      .lists=${lists}
      .names=${facts.names}
      .filter=${page.filter}
      .version=${lists.current}
      @choose=${({ detail: index }: CustomEvent<number>) => page.edit((all) => all.choose(index))}
      @create=${() => page.edit((all) => all.create("Watchlist", page.selected ? [page.selected] : []))}
      @rename=${({ detail: name }: CustomEvent<string>) => page.edit((all) => all.rename(name))}
      @delete=${() => page.edit((all) => all.delete())}
      @need-names=${() => facts.learnNames(page.table.client).then(() => this.changed())}
      @add=${({ detail: symbol }: CustomEvent<string>) => page.edit((all) => all.add(symbol))}
      @filter=${({ detail: text }: CustomEvent<string>) => page.filterBy(text)}
    ></tp-watchlist-bar>`;
    return html`<header class="top">
      <h1>tickerplant</h1>
      ${connection} ${page.alone ? nothing : bar} ${buttons(page.isRelayOpen, page.unread, (panel) => page.show(panel))}
    </header>`;
  }

  private prices() {
    const { page } = this;
    return html`<tp-table
      .market=${page.table.market}
      .view=${page.view}
      .selected=${page.selected}
      .look=${page.preferences}
      @sort=${({ detail: sort }: CustomEvent<Sort | undefined>) => page.sortBy(sort)}
      @open=${({ detail: symbol }: CustomEvent<string>) => page.open(symbol)}
      @select=${({ detail: symbol }: CustomEvent<string>) => page.select(symbol)}
      @remove-symbol=${({ detail: symbol }: CustomEvent<string>) => page.edit((all) => all.remove(symbol))}
      @move-symbol=${({ detail: { symbol, to } }: CustomEvent<{ symbol: string; to: number }>) =>
        page.edit((all) => all.move(symbol, to))}
      @ordered=${({ detail: rows }: CustomEvent<string>) => {
        page.rows = Number(rows);
      }}
    ></tp-table>`;
  }

  /** The opened symbol. A new connection makes a new element, which listens to that connection. */
  private detail() {
    const { page } = this;
    const { opened, symbol } = page;
    if (!symbol || !opened) return nothing;
    return keyed(
      opened,
      html`<tp-detail
        .symbol=${symbol}
        .interval=${page.interval}
        .chosen=${page.isChosen}
        .market=${opened.market}
        .client=${opened.client}
        .alone=${page.alone}
        .look=${page.preferences}
        @interval=${({ detail: interval }: CustomEvent<Interval>) => {
          page.interval = interval;
          this.changed();
        }}
        @choose=${({ detail: interval }: CustomEvent<Interval>) => page.choose(interval)}
        @close=${() => page.close()}
      ></tp-detail>`,
    );
  }

  private relay() {
    const { page } = this;
    return html`<tp-relay
      .client=${page.table.client}
      .open=${page.isRelayOpen}
      .limit=${page.facts.relayBytes}
      .closed=${page.facts.relayClosed}
      @close=${() => page.show("relay")}
      @unread=${({ detail: count }: CustomEvent<number>) => {
        page.unread = count;
        this.changed();
      }}
      @closed=${({ detail: reason }: CustomEvent<string>) => {
        page.facts.relayClosed = reason;
        this.changed();
      }}
    ></tp-relay>`;
  }

  /** The content of the open panel. */
  private content() {
    const { page } = this;
    switch (page.panel) {
      case "connect": {
        const symbols = page.alone ? [page.symbol] : page.lists.current.symbols;
        return html`<tp-connect .symbols=${symbols} .hasTokens=${page.facts.tokens}></tp-connect>`;
      }
      case "settings":
        return html`<tp-settings
          .preferences=${page.preferences}
          .owner=${page.table.client.access?.name ?? ""}
          .hasToken=${currentToken() !== ""}
          @change-preferences=${({ detail }: CustomEvent<Preferences>) => page.look(detail)}
          @forget=${() => page.authorize("")}
        ></tp-settings>`;
      case "keys":
        return sheet();
      default:
        return nothing;
    }
  }

  override render() {
    const { page } = this;
    const { client, market } = page.table;
    const status = statusOf(client, page.retryAt);
    document.title = `${status.word} · tickerplant`;
    document.body.dataset.stale = String(status.isStale);
    const layout = page.alone ? "alone" : page.symbol ? "split" : "whole";
    return html`${this.top(status)}
      <tp-feed-bar
        role="region"
        aria-label="Feed"
        .watch=${page.watch}
        .client=${client}
        .time=${Date.parse(market.time)}
        .tick=${Date.now()}
      ></tp-feed-bar>
      ${page.notices.render(client, () => this.changed())}
      <main class=${layout}>
        ${access(
          client.state,
          (token) => page.authorize(token),
          () => client.reconnect(),
        )}
        ${page.alone ? nothing : this.prices()} ${this.detail()}
      </main>
      ${this.relay()}
      <tp-status-bar
        role="contentinfo"
        .client=${client}
        .report=${page.watch.report}
        .receivedAt=${market.receivedAt}
        .rows=${page.alone ? 1 : page.rows}
        .version=${page.facts.version}
        .tick=${Date.now()}
      ></tp-status-bar>
      <tp-dialog
        .heading=${page.panel ? PANELS[page.panel] : ""}
        .content=${this.content()}
        @close-dialog=${() => page.close()}
      ></tp-dialog>`;
  }
}

customElements.define("tp-app", App);
