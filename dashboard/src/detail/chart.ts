// The chart: candles and volume in two panes, drawn by TradingView's lightweight-charts.
//
// The library's logo would add a style element, which the content security policy forbids. So the logo is off, and the
// page has a notice and a link of its own.

import {
  CandlestickSeries,
  HistogramSeries,
  LineStyle,
  createChart,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type UTCTimestamp,
} from "lightweight-charts";
import { colour } from "../state/preferences";
import type { Candle } from "./candles";

/** The least and the greatest width of a candle with its gap, in pixels, as long as nobody has zoomed. */
const NARROW = 6,
  WIDE = 18;
/** The empty places right of the newest candle. */
const RIGHT = 4;

export class Chart {
  private chart: IChartApi;
  private candles: ISeriesApi<"Candlestick">;
  private volumes: ISeriesApi<"Histogram">;
  private bid: IPriceLine | undefined;
  private ask: IPriceLine | undefined;
  /** The start of the newest drawn candle. The chart library refuses older ones. */
  private newest = -Infinity;
  private count = 0;
  /** The width of the candles that the page has chosen. */
  private spacing = NARROW;

  /** `pointed` is called with the start of the candle under the crosshair, or with nothing. */
  constructor(element: HTMLElement, pointed: (time: number | undefined) => void) {
    this.chart = createChart(element, {
      autoSize: true,
      layout: {
        attributionLogo: false,
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 11,
        panes: { enableResize: false },
      },
      timeScale: { timeVisible: true, secondsVisible: true, rightOffset: RIGHT, borderVisible: false },
      rightPriceScale: { borderVisible: false },
      crosshair: { mode: 0 },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, { borderVisible: false });
    this.volumes = this.chart.addSeries(
      HistogramSeries,
      { priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false },
      1,
    );
    // The least volume is 0, and the greatest label is not cut off.
    this.volumes
      .priceScale()
      .applyOptions({ scaleMargins: { top: 0.1, bottom: 0 }, ensureEdgeTickMarksVisible: true });
    this.chart.panes()[0]?.setStretchFactor(4);
    this.chart.panes()[1]?.setStretchFactor(1);
    this.chart.subscribeCrosshairMove(({ time }) => pointed(time as number | undefined));
    this.paint();
  }

  /** Applies the colours of the page. */
  paint(): void {
    const [up, down, line, text, ground] = ["up", "down", "line", "muted", "ground"].map(colour) as [
      string,
      string,
      string,
      string,
      string,
    ];
    this.chart.applyOptions({
      layout: {
        background: { color: ground },
        textColor: text,
        panes: { separatorColor: line, separatorHoverColor: line },
      },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      crosshair: {
        vertLine: { color: text, labelBackgroundColor: colour("panel-strong") },
        horzLine: { color: text, labelBackgroundColor: colour("panel-strong") },
      },
    });
    this.candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
  }

  /** Draws all candles anew. `decimals` is the number of decimals of a price. */
  show(list: Candle[], decimals: number): void {
    const digits = Math.min(decimals, 8);
    this.candles.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
    this.candles.setData(list.map(toBar));
    this.volumes.setData(list.map(toVolume));
    this.newest = list.at(-1)?.time ?? -Infinity;
    this.count = list.length;
  }

  /** Shows the newest candles, as many as fit. */
  showNewest(): void {
    this.chart.timeScale().resetTimeScale();
    this.space();
    this.chart.timeScale().scrollToRealTime();
  }

  /** Chooses the width of the candles, so that a few candles are not lost in the corner of a wide chart. */
  private space(): void {
    const scale = this.chart.timeScale();
    const fitting = scale.width() / (this.count + 2 * RIGHT);
    this.spacing = Math.max(NARROW, Math.min(WIDE, fitting));
    scale.applyOptions({ barSpacing: this.spacing });
  }

  /** Draws the newest candle. Returns whether that was possible: an older candle needs a new drawing. */
  update(candle: Candle): boolean {
    if (candle.time < this.newest) return false;
    this.candles.update(toBar(candle));
    this.volumes.update(toVolume(candle));
    if (candle.time > this.newest) {
      this.count += 1;
      // Nobody has zoomed.
      if (this.chart.timeScale().options().barSpacing === this.spacing) this.space();
    }
    this.newest = candle.time;
    return true;
  }

  /** Draws the lines of the bid and of the ask. */
  quote(bid: number | undefined, ask: number | undefined): void {
    this.bid = this.line(this.bid, bid, colour("bid"), "bid");
    this.ask = this.line(this.ask, ask, colour("ask"), "ask");
  }

  destroy(): void {
    this.chart.remove();
  }

  private line(
    line: IPriceLine | undefined,
    price: number | undefined,
    color: string,
    title: string,
  ): IPriceLine | undefined {
    if (price === undefined) {
      if (line) this.candles.removePriceLine(line);
      return undefined;
    }
    if (!line)
      return this.candles.createPriceLine({
        price,
        color,
        title,
        lineWidth: 1,
        lineStyle: LineStyle.Dotted,
        axisLabelVisible: false,
      });
    line.applyOptions({ price });
    return line;
  }
}

const toBar = ({ time, open, high, low, close }: Candle) => ({ time: time as UTCTimestamp, open, high, low, close });

const toVolume = ({ time, open, close, volume }: Candle) => ({
  time: time as UTCTimestamp,
  value: volume,
  color: colour(close < open ? "down-soft" : "up-soft"),
});
