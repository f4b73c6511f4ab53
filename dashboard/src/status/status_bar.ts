// The line at the bottom: how the data come, how old they are, and how many.

import type { Client, FeedStatus } from "tickerplant";
import { LitElement, html } from "lit";
import { grouped, short } from "../market/decimal";
import { span } from "../market/time";

export class StatusBar extends LitElement {
  static override properties = { client: {}, report: {}, receivedAt: {}, rows: {}, version: {}, tick: {} };

  declare client: Client;
  declare report: FeedStatus | undefined;
  /** When the page got the newest event, in milliseconds; 0 before the first. */
  declare receivedAt: number;
  /** How many rows the table has. */
  declare rows: number;
  declare version: string;
  /** Changes once a second. */
  declare tick: number;

  private lastUpdates = 0;
  private lastAt = performance.now();
  private rate = 0;

  override createRenderRoot(): HTMLElement {
    return this;
  }

  /** Computes the updates of the last second. */
  private measure(): void {
    const now = performance.now();
    if (now - this.lastAt < 900) return;
    const { updates } = this.client.counts;
    this.rate = Math.max(0, Math.round(((updates - this.lastUpdates) * 1000) / (now - this.lastAt)));
    this.lastUpdates = updates;
    this.lastAt = now;
  }

  override render() {
    this.measure();
    const { state, counts } = this.client;
    const { conflated, missed, reconnects } = counts;
    const peers = this.report?.peers ?? 0;
    const transport =
      "transport" in state ? { websocket: "WebSocket", sse: "Server-Sent Events" }[state.transport] : "–";
    const facts: [name: string, value: string | false, key: string, hint: string][] = [
      ["Transport", transport, "transport", "How the data come"],
      [
        "Data age",
        this.receivedAt ? span(Date.now() - this.receivedAt) : "–",
        "age",
        "Time since the newest event came",
      ],
      ["Updates/s", grouped(String(this.rate)), "rate", "Events that this page got in the last second"],
      ["Conflated", short(String(conflated)), "conflated", "Events that newer ones replaced, since the start"],
      ["Missed", missed > 0 && short(String(missed)), "missed", "Events that this page did not get, since the start"],
      ["Reconnects", reconnects > 0 && String(reconnects), "reconnects", "How often this page has connected again"],
      ["Peers", peers > 0 && grouped(String(peers)), "peers", "Clients that are connected to the server"],
      ["Symbols", grouped(String(this.rows)), "rows", "Rows of the table"],
    ];
    const shown = facts.filter(([, value]) => value !== false);
    return html`<dl>
        ${shown.map(
          ([name, value, key, hint]) =>
            html`<div title=${hint}>
              <dt>${name}</dt>
              <dd data-value=${key}>${value}</dd>
            </div>`,
        )}
      </dl>
      <p>${this.version ? `tickerplant ${this.version}` : ""} · <a href="licenses.txt">Licences</a></p>`;
  }
}

customElements.define("tp-status-bar", StatusBar);
