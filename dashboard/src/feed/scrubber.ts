// The scrubber of a replay: shows how far the feed is between its two ends, and seeks.

import { LitElement, html } from "lit";
import { dateAndTime, inFile, timeOfDay } from "../market/time";

export class Scrubber extends LitElement {
  static override properties = { from: {}, to: {}, at: {}, locked: {}, dragged: { state: true } };

  /** The two ends and the place of the feed, in milliseconds of market time. In a later lap, the place is after the end. */
  declare from: number;
  declare to: number;
  declare at: number;
  /** Why the feed cannot seek, or empty. */
  declare locked: string;
  /** The time to which a person drags, while a person drags. */
  declare dragged: number | undefined;

  override createRenderRoot(): HTMLElement {
    return this;
  }

  /** The place between the two ends. */
  private get place(): number {
    return this.dragged ?? (Number.isFinite(this.at) ? inFile(this.at, this.from, this.to) : this.from);
  }

  private get isKnown(): boolean {
    return Number.isFinite(this.from) && Number.isFinite(this.to) && this.to > this.from;
  }

  /** Shows the time under the pointer. */
  private point(event: PointerEvent): void {
    const track = event.currentTarget as HTMLElement;
    const { left, width } = track.getBoundingClientRect();
    this.preview(this.from + Math.max(0, Math.min(1, (event.clientX - left) / width)) * (this.to - this.from));
  }

  /** Writes a time into the bubble, and puts the bubble there. */
  private preview(time: number): void {
    const bubble = this.querySelector<HTMLElement>(".preview");
    if (!bubble) return;
    bubble.textContent = dateAndTime(time);
    bubble.style.left = `${this.share(time) * 100}%`;
  }

  /** Returns how far a time is between the two ends, from 0 to 1. */
  private share(time: number): number {
    const share = (time - this.from) / (this.to - this.from);
    return Number.isFinite(share) ? Math.max(0, Math.min(1, share)) : 0;
  }

  private drag(event: Event): void {
    this.dragged = Number((event.target as HTMLInputElement).value);
  }

  private drop(event: Event): void {
    const time = new Date(Number((event.target as HTMLInputElement).value)).toISOString();
    this.dragged = undefined;
    this.dispatchEvent(new CustomEvent("seek", { detail: time }));
  }

  override updated(): void {
    this.style.setProperty("--done", `${this.share(this.place) * 100}%`);
    if (this.dragged !== undefined) this.preview(this.dragged);
  }

  override render() {
    if (!this.isKnown) return html``;
    const isOneDay = new Date(this.from).toDateString() === new Date(this.to).toDateString();
    const end = (time: number) => (isOneDay ? timeOfDay(time) : dateAndTime(time).slice(0, 10));
    const at = this.place;
    return html`<span class="end">${end(this.from)}</span>
      <span class="track" @pointermove=${this.point}>
        <input
          type="range"
          aria-label="Market time"
          aria-valuetext=${dateAndTime(at)}
          min=${this.from}
          max=${this.to}
          step="1000"
          .value=${String(at)}
          ?disabled=${this.locked !== ""}
          title=${this.locked}
          @input=${this.drag}
          @change=${this.drop}
        />
        <span class="preview" aria-hidden="true"></span>
      </span>
      <span class="end">${end(this.to)}</span>`;
  }
}

customElements.define("tp-scrubber", Scrubber);
