// The bar of the feed: what it is, what it does, and the controls of its clock.

import type { Client, FeedCommand } from "tickerplant";
import { LitElement, html, nothing } from "lit";
import { dateAndTime, duration } from "../market/time";
import "./scrubber";
import type { FeedWatch } from "./feed_watch";

const SPEEDS = ["1", "2", "5", "10", "60", "max"];
const WORDS: Record<string, string> = {
  starting: "Starting",
  running: "Running",
  paused: "Paused",
  stalled: "Stalled",
  ended: "Ended",
  failed: "Failed",
  restarting: "Restarting",
  degraded: "Degraded",
};

const label = (speed: string) => (speed === "max" ? speed : `${speed}×`);
const hint = (speed: string) =>
  speed === "max" ? "As fast as clients read" : `${speed} seconds of market time a second`;

export class FeedBar extends LitElement {
  static override properties = { watch: {}, client: {}, time: {}, tick: {} };

  declare watch: FeedWatch;
  declare client: Client;
  /** The market time of the newest event, in milliseconds. */
  declare time: number;
  /** Changes when the bar must be drawn again. */
  declare tick: number;

  override createRenderRoot(): HTMLElement {
    return this;
  }

  /** Pauses or resumes the feed. */
  toggle(): void {
    if (!this.watch.locked) this.send({ action: this.isMoving ? "pause" : "resume" });
  }

  private get isMoving(): boolean {
    return !["paused", "ended", "failed"].includes(this.state);
  }

  private get state(): string {
    return this.client.feed?.state ?? this.watch.report?.state ?? "starting";
  }

  private send(command: object): void {
    void this.watch.command(command as FeedCommand);
  }

  private loop(event: Event): void {
    this.send({ action: "loop", loop: (event.target as HTMLInputElement).checked });
  }

  private jump(event: SubmitEvent): void {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).elements.namedItem("time") as HTMLInputElement;
    if (field.value.trim()) this.send({ action: "seek", time: field.value.trim() });
  }

  private source(): string {
    const { kind, files, seed } = this.watch.report ?? {};
    const names = files?.map((file) => file.split("/").pop()).join(", ");
    if (kind === "replay") return `Replay of ${names}`;
    if (kind === "simulated") return `Simulation${seed !== undefined ? `, seed ${seed}` : ""}`;
    return kind === "stdin" ? "Standard input" : "";
  }

  override render() {
    const { report, locked, fixed, refusal } = this.watch;
    const { state } = this;
    const detail = this.client.feed?.detail ?? report?.detail;
    const [from, to] = this.watch.extent;
    const speed = String(report?.speed ?? 1);
    const hasMax = report?.kind !== "simulated" || this.watch.isRepeatable;
    const speeds = SPEEDS.filter((one) => one !== "max" || hasMax);
    const ends = report?.ends_in_ms;
    const sourceText = this.source();
    return html`<div
        class="source"
        title=${report?.files?.join("\n") ?? (report as { command?: string } | undefined)?.command ?? sourceText}
      >
        <b class="state" data-state=${state}>${WORDS[state] ?? state}</b>
        <span class="muted">${detail ? html`<span class="bad">${detail}</span>` : sourceText}</span>
      </div>
      <fieldset ?disabled=${locked !== ""} title=${locked || nothing} aria-label="Clock of the feed">
        <button
          class="play"
          @click=${this.toggle}
          aria-label=${this.isMoving ? "Pause" : "Play"}
          title=${locked || (this.isMoving ? "Pause (space)" : "Play (space)")}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d=${this.isMoving ? "M4 3h3v10H4zM9 3h3v10H9z" : "M4 2.5v11l9-5.5z"}></path>
          </svg>
        </button>
        <button
          @click=${() => this.send({ action: "step" })}
          aria-label="Step"
          title=${locked || "Publish one event, and pause"}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 3v10l7-5zM11 3h2v10h-2z"></path></svg>
        </button>
        <div class="segments" role="group" aria-label="Speed">
          ${speeds.map(
            (one) =>
              html`<button
                aria-pressed=${one === speed}
                title=${locked || hint(one)}
                @click=${() => this.send({ action: "speed", speed: one === "max" ? one : Number(one) })}
              >
                ${label(one)}
              </button>`,
          )}
          ${speeds.includes(speed) ? nothing : html`<button aria-pressed="true">${label(speed)}</button>`}
        </div>
      </fieldset>
      <time class="clock" title="Market time of the newest event, UTC"
        >${dateAndTime(this.time)}<small>UTC</small></time
      >
      <tp-scrubber
        .from=${from}
        .to=${to}
        .at=${this.time}
        .locked=${fixed}
        @seek=${(event: CustomEvent<string>) => this.send({ action: "seek", time: event.detail })}
      ></tp-scrubber>
      <form @submit=${this.jump}>
        <input
          name="time"
          aria-label="Jump to a time"
          placeholder="Jump to a time"
          autocomplete="off"
          ?disabled=${fixed !== ""}
          title=${fixed || "For example 2024-01-03 14:31, then Enter"}
        />
        <button ?disabled=${fixed !== ""} title=${fixed || "Jump"}>Go</button>
      </form>
      ${
        report?.kind === "replay"
          ? html`<label class="check" title=${fixed || "Start again at the end"}>
              <input
                type="checkbox"
                ?disabled=${fixed !== ""}
                .checked=${report.loop ?? false}
                @change=${this.loop}
              />Loop</label
            >`
          : nothing
      }
      ${ends && state === "running" ? html`<span class="muted ends">ends in ${duration(Number(ends))}</span>` : nothing}
      ${locked && report ? html`<span class="muted reason">${locked}</span>` : nothing}
      ${refusal ? html`<p class="bad" role="alert">${refusal}</p>` : nothing}`;
  }
}

customElements.define("tp-feed-bar", FeedBar);
