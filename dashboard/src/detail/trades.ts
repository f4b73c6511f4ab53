// The last trades of one symbol, the newest first. The rows are made once, and only their texts change.

import type { TradeFrame } from "tickerplant";
import { compare, grouped, places } from "../market/decimal";
import { timeOfDay } from "../market/time";

/** How many trades the list shows. */
const LENGTH = 60;

const ARROWS = { up: "▲", down: "▼", flat: "" };

export class LastTrades {
  readonly element = document.createElement("ol");
  /** The trades from the newest to the oldest. One more than the list shows, so that the oldest has an arrow, too. */
  private trades: TradeFrame[] = [];
  private rows: { element: HTMLElement; cells: Text[] }[] = [];
  private decimals = 2;
  private isDrawn = true;

  constructor() {
    this.element.className = "trades";
    this.element.setAttribute("aria-label", "Last trades");
    this.element.tabIndex = 0;
  }

  take(trade: TradeFrame): void {
    this.trades.unshift(trade);
    this.limit();
  }

  /** Takes trades of the past, the oldest first. Those that are here already are passed over. */
  takePast(past: TradeFrame[]): void {
    const oldest = this.trades.at(-1)?.seq ?? Infinity;
    this.trades.push(...past.filter(({ seq }) => seq < oldest).reverse());
    this.limit();
  }

  private limit(): void {
    if (this.trades.length > LENGTH + 1) this.trades.length = LENGTH + 1;
    this.decimals = this.trades.reduce((most, { price }) => Math.max(most, places(price)), this.decimals);
    this.isDrawn = false;
  }

  clear(): void {
    this.trades = [];
    this.decimals = 2;
    this.isDrawn = false;
  }

  draw(): void {
    if (this.isDrawn) return;
    this.isDrawn = true;
    while (this.rows.length < Math.min(this.trades.length, LENGTH)) this.rows.push(this.addRow());
    this.rows.forEach(({ element, cells }, index) => {
      const trade = this.trades[index];
      element.hidden = !trade;
      if (!trade) return;
      const { time, price, size } = trade;
      const move = compare(price, this.trades[index + 1]?.price ?? price);
      const direction = move > 0 ? "up" : move < 0 ? "down" : "flat";
      element.dataset.direction = direction;
      const texts = [
        timeOfDay(Date.parse(time)),
        ARROWS[direction],
        grouped(price, this.decimals),
        size === undefined ? "" : grouped(size),
      ];
      texts.forEach((text, cell) => {
        if (cells[cell]!.data !== text) cells[cell]!.data = text;
      });
    });
  }

  private addRow(): { element: HTMLElement; cells: Text[] } {
    const element = this.element.appendChild(document.createElement("li"));
    const cells = ["time", "arrow", "price", "size"].map((name) => {
      const span = element.appendChild(document.createElement("span"));
      span.className = name;
      return span.appendChild(document.createTextNode(""));
    });
    return { element, cells };
  }
}
