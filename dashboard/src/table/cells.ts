// The cells of a row. Each cell makes its nodes once. Later it only changes their texts and positions.

import { grouped, short, signed } from "../market/decimal";
import type { Instrument } from "../market/instrument";
import { span } from "../market/time";
import type { ColumnId } from "./columns";
import type { Sparkline } from "./sparkline";

/** What a cell needs to draw itself. */
export interface Moment {
  now: number;
  /** Whether the rows are in an order that a person may change. */
  isOrdered: boolean;
  /** The lines of the sparklines, and the width and the colours in which they are drawn. */
  trendWidth: number;
  sparkline: (symbol: string) => Sparkline;
  colours: { up: string; down: string; upFill: string; downFill: string };
}

type Draw = (instrument: Instrument, moment: Moment) => void;

/** The least time between two drawings of a sparkline, in milliseconds. */
const SPARKLINES_EVERY = 1000;
/** The height of a sparkline in pixels. */
const TREND_HEIGHT = 24;

/** Makes a text node. Returns a function that changes the text if it differs. */
function text(parent: HTMLElement): (text: string) => void {
  const node = parent.appendChild(document.createTextNode(""));
  return (wanted) => {
    if (node.data !== wanted) node.data = wanted;
  };
}

/** Makes an element of this class with a text node. Returns a function that changes the text if it differs. */
function part(parent: HTMLElement, name: string): (text: string) => void {
  const element = parent.appendChild(document.createElement("span"));
  element.className = name;
  return text(element);
}

/** Sets an attribute of data if it differs. */
function mark(element: HTMLElement, name: string, value: string): void {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

const directionOf = (change: string) => (change.startsWith("-") ? "down" : /[1-9]/.test(change) ? "up" : "flat");
const ARROWS = { up: "▲", down: "▼", flat: "" };

/** Makes the nodes of a cell. Returns the function that draws an instrument into them. */
export function makeCell(id: ColumnId, cell: HTMLElement): Draw {
  switch (id) {
    case "symbol": {
      const name = part(cell, "name"),
        halted = part(cell, "halted");
      const remove = cell.appendChild(document.createElement("button"));
      Object.assign(remove, { className: "quiet remove", textContent: "✕", tabIndex: -1 });
      return (instrument) => {
        name(instrument.symbol);
        if (remove.title !== `Remove ${instrument.symbol}`) remove.title = `Remove ${instrument.symbol}`;
        halted(instrument.halted && "halted");
        const reason = instrument.halted === "halted" ? "" : `: ${instrument.halted}`;
        cell.title = instrument.halted ? `Trading is halted${reason}` : "";
      };
    }
    case "last": {
      const last = part(cell, "flash");
      return (instrument, { now }) => {
        last(instrument.last ? grouped(instrument.last, instrument.decimals) : "–");
        mark(cell, "flash", flashEnds(instrument, now) < Infinity ? instrument.tick : "");
      };
    }
    case "change": {
      const change = text(cell);
      return (instrument) => {
        change(instrument.change ? signed(grouped(instrument.change, instrument.decimals)) : "–");
        mark(cell, "direction", directionOf(instrument.change));
      };
    }
    case "change_percent": {
      const arrow = part(cell, "arrow"),
        change = text(cell);
      return ({ change: absolute, changePercent }) => {
        const direction = directionOf(absolute);
        arrow(ARROWS[direction]);
        change(changePercent ? `${signed(grouped(changePercent, 2))}%` : "–");
        mark(cell, "direction", direction);
      };
    }
    case "bid": {
      const price = text(cell),
        size = part(cell, "size");
      return ({ bid, bidSize, decimals }) => {
        price(bid ? grouped(bid, decimals) : "–");
        size(bidSize && `× ${short(bidSize)}`);
      };
    }
    case "ask": {
      const price = text(cell),
        size = part(cell, "size");
      return ({ ask, askSize, decimals }) => {
        price(ask ? grouped(ask, decimals) : "–");
        size(askSize && `× ${short(askSize)}`);
      };
    }
    case "spread": {
      const spread = text(cell);
      return (instrument) =>
        spread(instrument.spread ? signed(grouped(instrument.spread, instrument.decimals)).replace(/^\+/, "") : "–");
    }
    case "volume": {
      const volume = text(cell);
      return (instrument) => {
        volume(instrument.volume ? short(instrument.volume) : "–");
        cell.title = instrument.volume && grouped(instrument.volume);
      };
    }
    case "range":
      return makeRange(cell);
    case "trend":
      return makeTrend(cell);
    case "age": {
      const age = text(cell);
      return ({ receivedAt }) => age(receivedAt ? span(Date.now() - receivedAt) : "–");
    }
  }
}

/** How long a price flashes after a move, in milliseconds. */
export const FLASH = 450;

/** Returns when the present flash of an instrument ends, or infinity if the instrument does not flash. */
export function flashEnds({ tickAt }: Instrument, now: number): number {
  return now - tickAt < FLASH ? tickAt + FLASH : Infinity;
}

function makeRange(cell: HTMLElement): Draw {
  const low = part(cell, "low");
  const track = cell.appendChild(document.createElement("span"));
  track.className = "track";
  const marker = track.appendChild(document.createElement("span"));
  marker.className = "marker";
  const high = part(cell, "high");
  let drawn = -1;
  return (instrument) => {
    const { decimals } = instrument;
    low(instrument.low && grouped(instrument.low, decimals));
    high(instrument.high && grouped(instrument.high, decimals));
    const place = Math.round((instrument.place ?? 0.5) * 200) / 2;
    if (place !== drawn) marker.style.left = `${place}%`;
    drawn = place;
    mark(track, "empty", String(!instrument.low));
  };
}

function makeTrend(cell: HTMLElement): Draw {
  const canvas = cell.appendChild(document.createElement("canvas"));
  canvas.setAttribute("aria-hidden", "true");
  canvas.hidden = true;
  let drawn = "",
    drawnAt = 0;
  const clear = () => {
    // A canvas is a layer of the page, which costs time in every frame of a scroll.
    canvas.hidden = true;
    drawn = "";
  };
  return ({ symbol, change, last }, { now, sparkline, colours, trendWidth: width }) => {
    if (!last) return clear();
    const line = sparkline(symbol);
    if (line.isEmpty) return clear();
    const isDown = change.startsWith("-");
    const key = `${symbol} ${width} ${isDown} ${colours.up} ${line.version}`;
    const isNews = !drawn.startsWith(`${symbol} ${width} `);
    if (key === drawn || (!isNews && now - drawnAt < SPARKLINES_EVERY)) return;
    line.draw(
      canvas,
      width,
      TREND_HEIGHT,
      isDown ? colours.down : colours.up,
      isDown ? colours.downFill : colours.upFill,
    );
    canvas.hidden = false;
    drawn = key;
    drawnAt = now;
  };
}
