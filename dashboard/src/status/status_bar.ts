// The line at the bottom: how the data come, how old they are, and how many.

import type { Client, FeedStatus } from "tickerplant";
import { LitElement, html, nothing } from "lit";
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
    const transport = "transport" in state ? { websocket: "WebSocket", sse: "Server-Sent Events" }[state.transport] : "–";
    const fact = (name: string, value: string, title: string, key: string) => html`<div title=${title}><dt>${name}</dt><dd data-value=${key}>${value}</dd></div>`;
    return html`<dl>
      ${fact("Transport", transport, "How the data come", "transport")}
      ${fact("Data age", this.receivedAt ? span(Date.now() - this.receivedAt) : "–", "Time since the newest event came", "age")}
      ${fact("Updates/s", grouped(String(this.rate)), "Events that this page got in the last second", "rate")}
      ${fact("Conflated", short(String(counts.conflated)), "Events that newer ones replaced before they were sent, since the start", "conflated")}
      ${counts.missed ? fact("Missed", short(String(counts.missed)), "Events that this page did not get, since the start", "missed") : nothing}
      ${counts.reconnects ? fact("Reconnects", String(counts.reconnects), "How often this page has connected again", "reconnects") : nothing}
      ${this.report?.peers ? fact("Peers", grouped(String(this.report.peers)), "Clients that are connected to the server", "peers") : nothing}
      ${fact("Symbols", grouped(String(this.rows)), "Rows of the table", "rows")}
    </dl>
    <p>${this.version ? `tickerplant ${this.version}` : ""} · <a href="licenses.txt">Licences</a></p>`;
  }
}

customElements.define("tp-status-bar", StatusBar);
