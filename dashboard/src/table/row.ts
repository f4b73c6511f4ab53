// A row of the table. A row is made once and shows another instrument when the table scrolls.

import type { Instrument } from "../market/instrument";
import { flashEnds, makeCell, type Moment } from "./cells";
import type { Column } from "./columns";

/** The height of a row in pixels. The style sheet has the same height. */
export const ROW_HEIGHT = 34;

/** A row without an event for so many milliseconds looks old. */
const OLD = 60_000;

/** A price with more characters than this may be wider than its column. */
const LONG = 10;

export class Row {
  readonly element = document.createElement("div");
  private readonly draws: ((instrument: Instrument, moment: Moment) => void)[];
  private index = -1;
  // What the last drawing has shown.
  private instrument: Instrument | undefined;
  private version = -1;
  private isSelected = false;
  private flashEnds = Infinity;

  constructor(columns: Column[]) {
    this.element.className = "row";
    this.element.setAttribute("role", "row");
    this.draws = columns.map(({ id, isText }) => {
      const cell = this.element.appendChild(document.createElement("div"));
      cell.setAttribute("role", id === "symbol" ? "rowheader" : "gridcell");
      cell.className = `cell ${id}${isText ? " text" : ""}`;
      return makeCell(id, cell);
    });
  }

  /** Draws an instrument at a place of the table, unless the row shows all of it already. */
  show(instrument: Instrument, index: number, isSelected: boolean, moment: Moment): void {
    const isCurrent =
      this.instrument === instrument &&
      this.version === instrument.version &&
      this.index === index &&
      this.isSelected === isSelected &&
      moment.now < this.flashEnds;
    if (!isCurrent) this.draw(instrument, index, isSelected, moment);
  }

  /** Draws an instrument at a place of the table. Changes only what differs from the last drawing. */
  draw(instrument: Instrument, index: number, isSelected: boolean, moment: Moment): void {
    const { element } = this;
    this.instrument = instrument;
    this.version = instrument.version;
    this.isSelected = isSelected;
    this.flashEnds = flashEnds(instrument, moment.now);
    if (this.index !== index) {
      this.index = index;
      element.style.transform = `translateY(${index * ROW_HEIGHT}px)`;
      element.setAttribute("aria-rowindex", String(index + 2));
      element.id = `row-${index}`;
    }
    if (element.dataset.symbol !== instrument.symbol) element.dataset.symbol = instrument.symbol;
    const selected = String(isSelected);
    if (element.getAttribute("aria-selected") !== selected) element.setAttribute("aria-selected", selected);
    const long = String(instrument.last.length > LONG);
    if (element.dataset.long !== long) element.dataset.long = long;
    const old = String(Date.now() - instrument.receivedAt > OLD);
    if (element.dataset.old !== old) element.dataset.old = old;
    if (element.draggable !== moment.isOrdered) element.draggable = moment.isOrdered;
    for (const draw of this.draws) draw(instrument, moment);
  }
}
