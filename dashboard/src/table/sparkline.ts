// The sparkline of one symbol: closes of the last hour of market time, drawn on a canvas.

/** The market time that a sparkline shows, in seconds. */
const HOUR = 3600;

export class Sparkline {
  /** The starts of the bars in seconds, and their closes. */
  private times: number[] = [];
  private closes: number[] = [];
  /** Grows with each change of the line. */
  version = 0;

  /** `step` is the length of a bar in seconds. */
  constructor(private step: number) {}

  /** Whether there are too few points for a line. */
  get isEmpty(): boolean {
    return this.times.length < 2;
  }

  /** Takes bars of the server, oldest first, in place of all points. */
  load(step: number, bars: { time: string; close: string }[]): void {
    this.step = step;
    this.times = bars.map(({ time }) => Date.parse(time) / 1000);
    this.closes = bars.map(({ close }) => Number(close));
    this.forget();
    this.version += 1;
  }

  /** Takes the last price at a market time. */
  push(time: string, price: string): void {
    const start = Math.floor(Date.parse(time) / 1000 / this.step) * this.step;
    const newest = this.times.length - 1;
    const close = Number(price);
    if (newest < 0 || start > this.times[newest]!) {
      this.times.push(start);
      this.closes.push(close);
      this.forget();
    } else if (this.closes[newest] !== close) {
      this.closes[newest] = close;
    } else {
      return;
    }
    this.version += 1;
  }

  /** Drops the points that are older than an hour. */
  private forget(): void {
    const oldest = (this.times.at(-1) ?? 0) - HOUR;
    const first = this.times.findIndex((time) => time > oldest);
    if (first > 0) {
      this.times.splice(0, first);
      this.closes.splice(0, first);
    }
  }

  /** Draws the line over the whole canvas. */
  draw(canvas: HTMLCanvasElement, width: number, height: number, line: string, fill: string): void {
    const ratio = devicePixelRatio;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d")!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const { times, closes } = this;
    const from = times[0]!,
      to = times.at(-1)!;
    const low = Math.min(...closes),
      high = Math.max(...closes);
    const x = (time: number) => ((time - from) / (to - from)) * (width - 2) + 1;
    const y = (close: number) =>
      high === low ? height / 2 : height - 3 - ((close - low) / (high - low)) * (height - 6);
    context.beginPath();
    times.forEach((time, index) => context.lineTo(x(time), y(closes[index]!)));
    context.lineWidth = 1.25;
    context.lineJoin = "round";
    context.strokeStyle = line;
    context.stroke();
    context.lineTo(x(to), height);
    context.lineTo(x(from), height);
    context.fillStyle = fill;
    context.fill();
  }
}
