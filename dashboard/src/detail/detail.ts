// One symbol: its prices, its chart and its last trades, at the full rate of the feed.

import type { Client, StoredBar, TradeFrame } from "tickerplant";
import { LitElement, html, nothing, type PropertyValues } from "lit";
import { inNextFrame } from "../frame";
import { grouped, short, signed } from "../market/decimal";
import { Instrument } from "../market/instrument";
import type { Market } from "../market/market";
import { INTERVALS, dateAndTime, timeOfDay, type Interval } from "../market/time";
import { statusOf } from "../status/status_words";
import { Candles, type Candle } from "./candles";
import type { Chart } from "./chart";
import { LastTrades } from "./trades";

/** How many bars the chart loads. */
const BARS = 600;
/** With more bars than this, the chart loads its newest bars anew. */
const MOST_BARS = 5000;
/** With fewer minutes than this, the chart begins with seconds. */
const FEW_BARS = 12;
/** How many events before the newest one are searched for the last trades. */
const SEARCHED_EVENTS = 4096;
/** How long the bars wait to be read again after a late trade or a finished candle, in milliseconds. */
const CORRECT_AFTER = 400;

export class Detail extends LitElement {
  static override properties = {
    symbol: {},
    interval: {},
    chosen: { type: Boolean },
    market: {},
    client: {},
    alone: { type: Boolean },
    look: {},
    fault: { state: true },
  };

  declare symbol: string;
  declare interval: Interval;
  /** Whether a person has chosen the interval. */
  declare chosen: boolean;
  declare market: Market;
  declare client: Client;
  /** Whether the page shows this symbol alone. */
  declare alone: boolean;
  declare look: unknown;
  declare fault: string;

  private readonly candles = new Candles(60);
  private readonly trades = new LastTrades();
  private chart: Chart | undefined;
  private pointed: number | undefined;
  private removers: (() => void)[] = [];
  private isRedrawn = false;
  private loads = 0;
  private correction: number | undefined;
  private readonly drawNow = () => this.draw();

  override createRenderRoot(): HTMLElement {
    return this;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const remove of this.removers) remove();
    clearTimeout(this.correction);
    this.chart?.destroy();
    this.chart = undefined;
  }

  override async firstUpdated(): Promise<void> {
    this.querySelector(".trades-place")!.append(this.trades.element);
    this.removers = [
      this.client.on("update", (event) => {
        if (event.symbol !== this.symbol) return;
        if (event.type === "trade") this.trades.take(event);
        const effect =
          event.type === "trade"
            ? this.candles.takeTrade(event)
            : event.type === "bar"
              ? this.candles.takeBar(event)
              : "none";
        const isFirst = effect === "begun" && event.type === "trade" && this.candles.list.length === 1;
        if (isFirst && this.interval === "1m" && !this.chosen) return this.tell("interval", "1s");
        if (effect === "late" || effect === "begun") this.correctSoon();
        if (effect === "begun" && this.candles.list.length > MOST_BARS) void this.load();
        inNextFrame(this.drawNow);
      }),
      this.client.on("changed", () => inNextFrame(this.drawNow)),
      this.client.on("state", () => this.requestUpdate()),
      this.client.on("feed", ({ position }) => {
        // After a seek, the chart is drawn anew.
        if (position) void this.load();
      }),
    ];
    const { Chart } = await import("./chart");
    if (!this.isConnected) return;
    this.chart = new Chart(this.querySelector(".chart")!, (time) => {
      this.pointed = time;
      this.requestUpdate();
    });
    this.isRedrawn = true;
    this.draw();
  }

  override updated(changed: PropertyValues): void {
    if (changed.has("symbol") || changed.has("interval")) void this.load();
    if (changed.has("look") && this.chart) {
      this.chart.paint();
      this.isRedrawn = true;
      this.draw();
    }
  }

  private async bars(limit: number, interval = this.interval): Promise<StoredBar[]> {
    return (await this.client.get(`bars/${encodeURIComponent(this.symbol)}`, { interval, limit })).bars;
  }

  /** Reads the trades before now, so that the list of trades is not empty at first. */
  private async loadTrades(load: number): Promise<void> {
    const of = { symbols: [this.symbol], channels: ["trades"] };
    try {
      const { epoch, seq } = await this.client.get("events", { ...of, limit: 1 });
      const all = { ...of, limit: SEARCHED_EVENTS };
      const after = `${epoch}-${Math.max(seq - SEARCHED_EVENTS, 0)}`;
      // If the history does not reach back so far, it is searched from its beginning.
      const { events } = await this.client.get("events", { ...all, after }).catch(() => this.client.get("events", all));
      if (load !== this.loads) return;
      this.trades.takePast(events.filter((event): event is TradeFrame => event.type === "trade"));
      inNextFrame(this.drawNow);
    } catch {
      // The list fills with the trades that come.
    }
  }

  /** Reads the bars of the server, and draws the chart anew. */
  private async load(): Promise<void> {
    const load = ++this.loads;
    this.trades.clear();
    this.candles.load(INTERVALS[this.interval], []);
    void this.loadTrades(load);
    try {
      const list = await this.bars(BARS);
      if (load !== this.loads) return;
      if (await this.hasMoreSeconds(list.length)) return this.tell("interval", "1s");
      if (load !== this.loads) return;
      this.candles.load(INTERVALS[this.interval], list);
      this.fault = "";
    } catch (error) {
      if (load !== this.loads) return;
      this.fault = (error as Error).message;
    }
    this.isRedrawn = true;
    this.draw();
    this.chart?.showNewest();
  }

  /** Returns whether the chart begins with seconds, because it has few minutes, and the feed has more than minutes. */
  private async hasMoreSeconds(minutes: number): Promise<boolean> {
    if (this.chosen || this.interval !== "1m" || minutes >= FEW_BARS) return false;
    return minutes === 0 ? this.instrument.hasTrades : (await this.bars(minutes + 1, "1s")).length > minutes;
  }

  /** Reads the newest bars again soon, because only the server knows the trades that came late or out of order. */
  private correctSoon(): void {
    this.correction ??= window.setTimeout(async () => {
      this.correction = undefined;
      const load = this.loads;
      try {
        const list = await this.bars(3);
        if (load !== this.loads) return;
        this.candles.correct(list);
        this.isRedrawn = true;
        inNextFrame(this.drawNow);
      } catch {
        // The next candle asks again.
      }
    }, CORRECT_AFTER);
  }

  private get instrument(): Instrument {
    return this.market.instruments.get(this.symbol) ?? new Instrument(this.symbol);
  }

  private draw(): void {
    if (!this.isConnected) return;
    this.trades.draw();
    const { newest } = this.candles;
    const { bid, ask, decimals } = this.instrument;
    if (this.chart) {
      if (this.isRedrawn || (newest && !this.chart.update(newest))) this.chart.show(this.candles.list, decimals);
      this.chart.quote(bid ? Number(bid) : undefined, ask ? Number(ask) : undefined);
      this.isRedrawn = false;
    }
    this.requestUpdate();
  }

  private legend(candle: Candle | undefined, decimals: number) {
    if (!candle) return html`<span>${this.fault || "no bars yet"}</span>`;
    const price = (value: number) => grouped(value.toFixed(decimals));
    const direction = candle.close < candle.open ? "down" : candle.close > candle.open ? "up" : "flat";
    return html`<time
        ><span class="date">${dateAndTime(candle.time * 1000).slice(0, 10)} </span
        >${timeOfDay(candle.time * 1000)}</time
      >
      ${(["open", "high", "low", "close"] as const).map(
        (name) =>
          html`<span
            >${name[0]!.toUpperCase()}
            <b data-direction=${direction} data-value=${name}>${price(candle[name])}</b></span
          >`,
      )}
      <span>V <b data-value="volume">${short(String(Math.round(candle.volume * 1e6) / 1e6))}</b></span>`;
  }

  override render() {
    const i = this.instrument;
    const direction = i.change.startsWith("-") ? "down" : /[1-9]/.test(i.change) ? "up" : "flat";
    const price = (text: string) => (text ? grouped(text, i.decimals) : "–");
    const candle =
      this.pointed === undefined ? this.candles.newest : this.candles.list.find(({ time }) => time === this.pointed);
    const fact = (name: string, value: string) =>
      html`<div>
        <dt>${name}</dt>
        <dd>${value}</dd>
      </div>`;
    return html`<header>
        <h2>${this.symbol}${i.halted ? html` <span class="halted">halted</span>` : nothing}</h2>
        <span class="price">${price(i.last)}</span>
        <span class="move" data-direction=${direction}>
          ${direction === "flat" ? "" : direction === "up" ? "▲" : "▼"}
          ${i.change ? `${signed(grouped(i.change, i.decimals))} (${signed(grouped(i.changePercent, 2))}%)` : ""}
        </span>
        ${this.trouble()}
        <span class="tools">
          ${
            this.alone
              ? html`<a class="button" href="." title="Show all symbols">All symbols</a>`
              : html`<a
                    class="button"
                    href="?symbol=${encodeURIComponent(this.symbol)}&interval=${this.interval}"
                    title="Open as a page of its own"
                    >Page</a
                  >
                  <button class="quiet" title="Close (Esc)" aria-label="Close ${this.symbol}" @click=${this.close}>
                    ✕
                  </button>`
          }
        </span>
      </header>
      <dl class="facts">
        ${
          i.bid || i.ask
            ? html` ${fact("Bid", `${price(i.bid)}${i.bidSize ? ` × ${short(i.bidSize)}` : ""}`)}
              ${fact("Ask", `${price(i.ask)}${i.askSize ? ` × ${short(i.askSize)}` : ""}`)}
              ${fact("Spread", i.spread || "–")}`
            : nothing
        }
        ${fact("Open", price(i.open))} ${fact("High", price(i.high))} ${fact("Low", price(i.low))}
        ${i.volume ? fact("Volume", short(i.volume)) : nothing}
      </dl>
      <div class="chart-bar">
        <div class="segments" role="group" aria-label="Interval">
          ${(Object.keys(INTERVALS) as Interval[]).map(
            (interval) =>
              html`<button aria-pressed=${interval === this.interval} @click=${() => this.tell("choose", interval)}>
                ${interval}
              </button>`,
          )}
        </div>
        <p class="legend">${this.legend(candle, i.decimals)}</p>
      </div>
      <div class="chart" role="img" aria-label="Candles and volume of ${this.symbol}, ${this.interval}"></div>
      <p class="attribution">
        Charts by
        <a href="https://www.tradingview.com/" target="_blank" rel="noopener noreferrer"
          >TradingView Lightweight Charts™</a
        >
      </p>
      <section class="trades-place" ?hidden=${!i.hasTrades}>
        <h3>Last trades <small>UTC</small></h3>
      </section>`;
  }

  /** Says what is wrong with the connection of this symbol, which may differ from that of the table. */
  private trouble() {
    const { word, detail, isStale } = statusOf(this.client, 0);
    return isStale && !this.alone ? html`<span class="bad" title=${detail}>${word}</span>` : nothing;
  }

  private close(): void {
    this.tell("close", undefined);
  }

  private tell(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

customElements.define("tp-detail", Detail);
