// The table of prices. Only the rows in view exist. They are drawn at most once a frame.

import { LitElement, html, type PropertyValues } from "lit";
import { inNextFrame } from "../frame";
import type { Instrument } from "../market/instrument";
import type { Market } from "../market/market";
import type { Sort } from "../state/address";
import { colour } from "../state/preferences";
import { FLASH, type Moment } from "./cells";
import { COLUMNS, fitting, template, type Column } from "./columns";
import { ordered, type View } from "./order";
import { ROW_HEIGHT, Row } from "./row";
import { Sparklines } from "./sparklines";

/** Rows that exist above and below the rows in view. */
const SPARE = 4;
/** How often a table that is sorted by moving values is sorted again, in milliseconds. */
const SORT_EVERY = 1000;
/** The same while new symbols come. */
const SORT_NEW_EVERY = 100;

export class PriceTable extends LitElement {
  static override properties = { market: {}, view: {}, selected: {}, look: {} };

  declare market: Market;
  declare view: View;
  /** The symbol of the selected row. */
  declare selected: string;
  /** Changes when the colours change. */
  declare look: unknown;

  readonly sparklines = new Sparklines(
    () => this.inView,
    () => this.drawAll(),
  );
  private rows: Row[] = [];
  private order: Instrument[] = [];
  private columns: Column[] = [];
  private orderedAt = -Infinity;
  /** Whether each row must be drawn, also one whose instrument has not changed. */
  private isWhole = false;
  private generation = -1;
  private timer: number | undefined;
  private scroller!: HTMLElement;
  // The place and the size of the view. Asking the browser for them while drawing would make it lay out the page.
  private top = 0;
  private height = 0;
  private width = 0;
  private body!: HTMLElement;
  private moment: Moment = {
    now: 0,
    isOrdered: false,
    trendWidth: 0,
    sparkline: (symbol) => this.sparklines.of(symbol),
    colours: { up: "", down: "", upFill: "", downFill: "" },
  };
  private readonly drawNow = () => this.drawRows();

  override createRenderRoot(): HTMLElement {
    return this;
  }

  override firstUpdated(): void {
    this.scroller = this.querySelector(".scroller")!;
    this.body = this.querySelector(".body")!;
    new ResizeObserver(() => {
      this.height = this.scroller.clientHeight;
      this.width = this.scroller.clientWidth;
      this.columns = [];
      this.drawAll();
    }).observe(this.scroller);
    this.scroller.addEventListener(
      "scroll",
      () => {
        this.top = this.scroller.scrollTop;
        this.draw();
      },
      { passive: true },
    );
    // The ages grow, and the sparklines are drawn at most so often.
    setInterval(() => this.drawAll(), SORT_EVERY);
  }

  override updated(changed: PropertyValues): void {
    if (changed.has("look")) {
      this.moment.colours = {
        up: colour("up"),
        down: colour("down"),
        upFill: colour("up-faint"),
        downFill: colour("down-faint"),
      };
    }
    if (changed.has("market") || changed.has("view")) this.orderedAt = -Infinity;
    this.drawAll();
  }

  /** Draws the table again when the flashes are over. */
  private drawLater(): void {
    this.timer ??= window.setTimeout(() => {
      this.timer = undefined;
      this.draw();
    }, FLASH);
  }

  /** Draws the rows that have changed, in the next frame. */
  draw(): void {
    inNextFrame(this.drawNow);
  }

  /** Draws all rows in view, in the next frame. */
  private drawAll(): void {
    this.isWhole = true;
    this.draw();
  }

  /** The symbols of the rows in view. */
  get inView(): string[] {
    const [first, end] = this.range();
    return this.order.slice(first, end).map(({ symbol }) => symbol);
  }

  /** The number of rows that pass the filter. */
  get count(): number {
    return this.order.length;
  }

  /** Returns the symbol of the first row. */
  get firstSymbol(): string | undefined {
    return this.order[0]?.symbol;
  }

  /** Selects the row that is so many rows below the selected one, and brings it into view. */
  move(by: number): void {
    const at = this.order.findIndex(({ symbol }) => symbol === this.selected);
    const next = Math.max(0, Math.min(this.order.length - 1, at < 0 ? 0 : at + by));
    const symbol = this.order[next]?.symbol;
    if (!symbol) return;
    const top = next * ROW_HEIGHT,
      { scroller } = this;
    const height = scroller.clientHeight - ROW_HEIGHT;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW_HEIGHT > scroller.scrollTop + height) scroller.scrollTop = top + ROW_HEIGHT - height;
    this.tell("select", symbol);
  }

  private range(): [number, number] {
    const first = Math.max(0, Math.floor(this.top / ROW_HEIGHT) - SPARE);
    const count = Math.ceil(this.height / ROW_HEIGHT) + 2 * SPARE;
    return [first, Math.min(this.order.length, first + count)];
  }

  private drawRows(): void {
    const now = performance.now();
    const isNew = this.generation !== this.market.generation;
    // Without a sort by values, the order changes only with the symbols.
    if (now - this.orderedAt >= (isNew ? SORT_NEW_EVERY : this.view.sort ? SORT_EVERY : Infinity)) {
      this.order = ordered(this.market, this.view);
      this.orderedAt = now;
      if (isNew) this.columns = [];
      this.generation = this.market.generation;
      this.tellOrder();
    }
    if (!this.columns.length) this.layOut();
    const [first, end] = this.range();
    const needed = Math.max(0, end - first);
    while (this.rows.length < needed) {
      const row = new Row(this.columns);
      this.rows.push(row);
      this.body.append(row.element);
    }
    this.moment.now = now;
    this.moment.isOrdered = this.view.symbols !== undefined && !this.view.sort && !this.view.filter;
    const isWhole = this.isWhole;
    this.isWhole = false;
    let isFlashing = false;
    let active = "";
    // A row of the table always uses the same element modulo the number of elements. So a scroll changes few of them.
    const size = this.rows.length;
    for (let index = first; index < end; index += 1) {
      const instrument = this.order[index]!;
      const isSelected = instrument.symbol === this.selected;
      this.rows[index % size]![isWhole ? "draw" : "show"](instrument, index, isSelected, this.moment);
      if (isSelected) active = `row-${index}`;
      isFlashing ||= now - instrument.tickAt < FLASH;
    }
    if (size > needed) this.dropRows(first, end);
    this.mark("aria-activedescendant", active);
    if (isFlashing) this.drawLater();
  }

  /** Removes the elements of rows that are no longer there. */
  private dropRows(first: number, end: number): void {
    for (const { element } of this.rows.splice(Math.max(0, end - first))) element.remove();
    // The remaining elements get their rows anew, because their number has changed.
    this.drawAll();
  }

  /** Chooses the columns and makes the rows anew. */
  private layOut(): void {
    this.columns = fitting(this.market.features, this.width);
    for (const { element } of this.rows) element.remove();
    this.rows = [];
    this.style.setProperty("--columns", template(this.columns));
    this.requestUpdate();
    void this.updateComplete.then(() => {
      const head = this.querySelector<HTMLElement>(".head .trend");
      if (head) this.moment.trendWidth = head.clientWidth - 16;
      this.drawAll();
    });
  }

  private tellOrder(): void {
    this.body.style.height = `${this.order.length * ROW_HEIGHT}px`;
    this.mark("aria-rowcount", String(this.order.length + 1));
    this.tell("ordered", String(this.order.length));
  }

  private mark(name: string, value: string): void {
    const grid = this.scroller;
    if (value === "") grid.removeAttribute(name);
    else if (grid.getAttribute(name) !== value) grid.setAttribute(name, value);
  }

  private tell(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  private sortBy({ id, isText }: Column): void {
    const { sort } = this.view;
    const isSame = sort?.column === id;
    // The first click sorts numbers from the greatest, and texts from the first. The third click ends the sort.
    const first = !isText;
    const next: Sort | undefined = !isSame
      ? { column: id, descending: first }
      : sort.descending === first
        ? { column: id, descending: !first }
        : undefined;
    this.tell("sort", next);
  }

  private clicked(event: MouseEvent): void {
    const symbol = symbolOf(event);
    if (symbol) this.tell((event.target as HTMLElement).closest(".remove") ? "remove-symbol" : "open", symbol);
  }

  // A person drags a row to another place of the watchlist.

  private dragged = "";

  private dragBegins(event: DragEvent): void {
    this.dragged = symbolOf(event) ?? "";
  }

  private dragOver(event: DragEvent): void {
    if (!this.dragged) return;
    event.preventDefault();
    for (const { element } of this.rows)
      element.toggleAttribute("data-target", element.dataset.symbol === symbolOf(event));
  }

  private dragEnds(event: DragEvent): void {
    const to = this.order.findIndex(({ symbol }) => symbol === symbolOf(event));
    for (const { element } of this.rows) element.removeAttribute("data-target");
    if (this.dragged && event.type === "drop" && to >= 0) this.tell("move-symbol", { symbol: this.dragged, to });
    this.dragged = "";
  }

  override render() {
    const { sort } = this.view;
    const columns = this.columns.length ? this.columns : COLUMNS;
    return html`<div
      class="scroller ${this.view.symbols ? "editable" : ""}"
      role="grid"
      tabindex="0"
      aria-label="Prices"
      @click=${this.clicked}
    >
      <div class="head" role="row" aria-rowindex="1">
        ${columns.map((column) => {
          const isSorted = sort?.column === column.id;
          const order = isSorted ? (sort.descending ? "descending" : "ascending") : "none";
          return html`<div
            class="cell ${column.id} ${column.isText ? "text" : ""}"
            role="columnheader"
            aria-sort=${order}
          >
            <button tabindex="-1" title="Sort by: ${column.description}" @click=${() => this.sortBy(column)}>
              ${column.title}<span class="order" aria-hidden="true"
                >${isSorted ? (sort.descending ? "↓" : "↑") : ""}</span
              >
            </button>
          </div>`;
        })}
      </div>
      <div
        class="body"
        role="rowgroup"
        @dragstart=${this.dragBegins}
        @dragover=${this.dragOver}
        @drop=${this.dragEnds}
        @dragend=${this.dragEnds}
      ></div>
    </div>`;
  }
}

/** Returns the symbol of the row in which an event happened. */
function symbolOf(event: Event): string | undefined {
  return (event.target as HTMLElement).closest<HTMLElement>(".row")?.dataset.symbol;
}

customElements.define("tp-table", PriceTable);
