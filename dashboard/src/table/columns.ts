// The columns of the table: their titles, their widths, by what they sort, and which of them fit.

import type { Instrument } from "../market/instrument";
import type { Features } from "../market/market";

export type ColumnId =
  "symbol" | "last" | "change" | "change_percent" | "bid" | "ask" | "spread" | "volume" | "range" | "trend" | "age";

export interface Column {
  id: ColumnId;
  title: string;
  /** What the column shows, for the tooltip of its header. */
  description: string;
  /** The least width in pixels, and the share of the space that is left. */
  width: number;
  share: number;
  isText?: boolean;
  /** Columns with the greatest rank disappear first where there is little space. */
  rank: number;
  /** Returns whether the feed has values for this column. */
  isShown: (features: Features) => boolean;
  /** Returns the value by which the column sorts. An instrument without a value comes last. */
  value: (instrument: Instrument) => number | string | undefined;
}

const always = () => true;
const number = (text: string) => (text ? Number(text) : undefined);

export const COLUMNS: Column[] = [
  {
    id: "symbol",
    title: "Symbol",
    description: "Symbol",
    width: 96,
    share: 1,
    isText: true,
    rank: 0,
    isShown: always,
    value: ({ symbol }) => symbol,
  },
  {
    id: "last",
    title: "Last",
    description: "Last price",
    width: 86,
    share: 1,
    rank: 0,
    isShown: ({ trades }) => trades,
    value: ({ last }) => number(last),
  },
  {
    id: "change",
    title: "Change",
    description: "Change of the day",
    width: 86,
    share: 1,
    rank: 4,
    isShown: ({ trades }) => trades,
    value: ({ change }) => number(change),
  },
  {
    id: "change_percent",
    title: "Change %",
    description: "Change of the day in percent",
    width: 88,
    share: 1,
    rank: 1,
    isShown: ({ trades }) => trades,
    value: ({ changePercent }) => number(changePercent),
  },
  {
    id: "bid",
    title: "Bid × size",
    description: "Best bid and its size",
    width: 138,
    share: 1.2,
    rank: 6,
    isShown: ({ quotes }) => quotes,
    value: ({ bid }) => number(bid),
  },
  {
    id: "ask",
    title: "Ask × size",
    description: "Best ask and its size",
    width: 138,
    share: 1.2,
    rank: 7,
    isShown: ({ quotes }) => quotes,
    value: ({ ask }) => number(ask),
  },
  {
    id: "spread",
    title: "Spread",
    description: "Ask minus bid",
    width: 68,
    share: 0.8,
    rank: 9,
    isShown: ({ quotes }) => quotes,
    value: ({ spread }) => number(spread),
  },
  {
    id: "volume",
    title: "Volume",
    description: "Volume of the day",
    width: 78,
    share: 0.9,
    rank: 3,
    isShown: ({ volumes }) => volumes,
    value: ({ volume }) => number(volume),
  },
  {
    id: "range",
    title: "Day range",
    description: "Low and high of the day, and the last price between them",
    width: 190,
    share: 1.8,
    rank: 5,
    isShown: ({ trades }) => trades,
    value: ({ place }) => place,
  },
  {
    id: "trend",
    title: "Last hour",
    description: "Last prices of one hour of market time",
    width: 100,
    share: 1.6,
    rank: 2,
    isShown: ({ trades }) => trades,
    value: ({ changePercent }) => number(changePercent),
  },
  {
    id: "age",
    title: "Age",
    description: "Time since this page got an event of the symbol",
    width: 56,
    share: 0.4,
    rank: 8,
    isShown: always,
    value: ({ receivedAt }) => (receivedAt ? -receivedAt : undefined),
  },
];

/** Returns the columns that the feed has values for and that fit into a width, in the order of the table. */
export function fitting(features: Features, width: number): Column[] {
  const shown = COLUMNS.filter(({ isShown }) => isShown(features));
  const byRank = [...shown].sort((a, b) => a.rank - b.rank);
  let used = 0;
  const kept = new Set<Column>();
  for (const column of byRank) {
    if (kept.size >= 3 && used + column.width > width) break;
    used += column.width;
    kept.add(column);
  }
  return shown.filter((column) => kept.has(column));
}

/** Returns the value of the CSS property `grid-template-columns` for columns. */
export const template = (columns: Column[]): string =>
  columns.map(({ width, share }) => `minmax(${width}px, ${share}fr)`).join(" ");
