// The last trades of one symbol, the newest first. The rows are made once, and only their texts change.

import type { TradeFrame } from "tickerplant";
import { compare, grouped, places } from "../market/decimal";
import { timeOfDay } from "../market/time";

/** How many trades the list shows. */
const LENGTH = 60;

interface ShownTrade {
  time: string;
  price: string;
  size: string;
  direction: "up" | "down" | "flat";
}

const ARROWS = { up: "▲", down: "▼", flat: "" };

export class LastTrades {
  readonly element = document.createElement("ol");
  private trades: ShownTrade[] = [];
  private rows: { element: HTMLElement; cells: Text[] }[] = [];
  private last = "";
  private decimals = 2;
  private isDrawn = true;

  constructor() {
    this.element.className = "trades";
    this.element.setAttribute("aria-label", "Last trades");
    this.element.tabIndex = 0;
  }

  take({ time, price, size }: TradeFrame): void {
    const move = this.last ? compare(price, this.last) : 0;
    this.last = price;
    this.decimals = Math.max(this.decimals, places(price));
    this.trades.unshift({
      time: timeOfDay(Date.parse(time)),
      price,
      size: size ?? "",
      direction: move > 0 ? "up" : move < 0 ? "down" : "flat",
    });
    if (this.trades.length > LENGTH) this.trades.length = LENGTH;
    this.isDrawn = false;
  }

  clear(): void {
    this.trades = [];
    this.last = "";
    this.decimals = 2;
    this.isDrawn = false;
  }

  draw(): void {
    if (this.isDrawn) return;
    this.isDrawn = true;
    while (this.rows.length < this.trades.length) this.rows.push(this.addRow());
    this.rows.forEach(({ element, cells }, index) => {
      const trade = this.trades[index];
      element.hidden = !trade;
      if (!trade) return;
      element.dataset.direction = trade.direction;
      const texts = [
        trade.time,
        ARROWS[trade.direction],
        grouped(trade.price, this.decimals),
        trade.size && grouped(trade.size),
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
