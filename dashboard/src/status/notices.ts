// What a person should know and what is no state: faults of the address, refusals, unknown symbols, gaps.

import type { Client, GapFrame } from "tickerplant";
import { html } from "lit";

export class Notices {
  /** What is wrong with the address of the page. */
  faults: string[] = [];
  /** What the server said to the last change of the watchlist, if it refused the change. */
  refusal = "";
  /** The last gap. */
  private gap = "";

  takeGap({ after, until, reason }: GapFrame): void {
    // No event is missing if a seek has replaced the values.
    if (until !== undefined && until === after) return;
    const range = until === undefined || after === undefined ? "" : ` ${after + 1} to ${until}`;
    const time = new Date().toTimeString().slice(0, 8);
    this.gap = `At ${time}, events${range} did not come (${reason.replaceAll("_", " ")}).`;
  }

  /** Forgets what a person has read. */
  private dismiss(): void {
    this.faults = [];
    this.refusal = this.gap = "";
  }

  render({ unknown }: Client, changed: () => void) {
    const strange = [...unknown].filter((symbol) => symbol !== "*").join(", ");
    const read = [...this.faults, this.refusal, this.gap].filter(Boolean);
    const lasting = strange ? [`${strange}: this feed has had no such symbol.`] : [];
    const dismiss = () => {
      this.dismiss();
      changed();
    };
    return html`<div class="notices" role="alert">
      ${[...read, ...lasting].map((text) => html`<p>${text}</p>`)}
      ${read.length ? html`<button class="quiet" @click=${dismiss}>Dismiss</button>` : ""}
    </div>`;
  }
}
