// The relay: what clients say to each other. The drawer shows text only, never HTML.

import type { Client } from "tickerplant";
import { LitElement, html, nothing } from "lit";

const COUNTER = "Bytes of the message, and the most that the server relays";

/** How many messages the drawer keeps. */
const KEPT = 200;

interface Said {
  from: string;
  text: string;
  at: string;
  isOwn: boolean;
}

export class Relay extends LitElement {
  static override properties = {
    client: {},
    open: { type: Boolean },
    limit: {},
    closed: {},
    draft: { state: true },
    fault: { state: true },
  };

  declare client: Client;
  declare open: boolean;
  /** The greatest length of a message in bytes, or 0. */
  declare limit: number;
  /** Why nobody here can send messages, or empty. */
  declare closed: string;
  declare draft: string;
  declare fault: string;

  private said: Said[] = [];
  private unread = 0;
  /** Messages that this page has sent and that have not come back yet. The server sends each back once. */
  private pending: string[] = [];
  private removers: (() => void)[] = [];

  constructor() {
    super();
    this.draft = this.fault = "";
  }

  override createRenderRoot(): HTMLElement {
    return this;
  }

  /** Listens to a client in place of an earlier one. */
  listen(client: Client): void {
    for (const remove of this.removers) remove();
    this.removers = [
      client.on("message", ({ from, text, base64 }) =>
        this.hear(from, text ?? `(binary, ${atob(base64 ?? "").length} bytes)`),
      ),
      client.on("error", ({ code, message }) => {
        if (!["rate_limited", "message_too_long", "relay_disabled", "forbidden"].includes(code)) return;
        this.pending.shift();
        this.fault = message;
        if (code === "relay_disabled" || code === "forbidden") this.tell("closed", message);
      }),
    ];
  }

  private hear(from: string, text: string): void {
    const own = this.pending.indexOf(text);
    if (own >= 0) this.pending.splice(own, 1);
    this.said.push({ from, text, at: new Date().toTimeString().slice(0, 5), isOwn: own >= 0 });
    if (this.said.length > KEPT) this.said.shift();
    if (!this.open) {
      this.unread += 1;
      this.tell("unread", this.unread);
    }
    this.requestUpdate();
  }

  override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("open") && this.open && this.unread) {
      this.unread = 0;
      queueMicrotask(() => this.tell("unread", 0));
    }
  }

  override updated(changed: Map<string, unknown>): void {
    const log = this.querySelector(".log");
    if (log) log.scrollTop = log.scrollHeight;
    if (changed.has("open") && this.open) this.querySelector("input")?.focus();
  }

  private get bytes(): number {
    return new TextEncoder().encode(this.draft).length;
  }

  private send(event: Event): void {
    event.preventDefault();
    const text = this.draft;
    if (!text || (this.limit && this.bytes > this.limit)) return;
    this.fault = "";
    this.pending.push(text);
    try {
      this.client.send(text);
      this.draft = "";
    } catch (error) {
      this.pending.pop();
      this.fault = (error as Error).message;
    }
  }

  private tell(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  override render() {
    const { bytes, limit, closed } = this;
    const isLong = limit > 0 && bytes > limit;
    return html`<aside class="drawer" aria-label="Relay" ?hidden=${!this.open}>
      <header>
        <h2>Relay</h2>
        <button
          class="quiet"
          aria-label="Close the relay"
          title="Close (Esc)"
          @click=${() => this.tell("close", undefined)}
        >
          ✕
        </button>
      </header>
      <p class="muted">Everybody who is connected receives what you send, and so do you.</p>
      <div class="log" role="log" aria-label="Relayed messages" tabindex="0">
        <ol>
          ${this.said.map(
            ({ from, text, at, isOwn }) =>
              html`<li class=${isOwn ? "own" : ""}>
                <span class="who">${isOwn ? "you" : from}<time>${at}</time></span
                ><span class="text">${text}</span>
              </li>`,
          )}
        </ol>
      </div>
      <form @submit=${this.send}>
        <input
          aria-label="Message"
          placeholder="Message to everybody"
          autocomplete="off"
          .value=${this.draft}
          ?disabled=${closed !== ""}
          aria-describedby="relay-note"
          @input=${(event: Event) => {
            this.draft = (event.target as HTMLInputElement).value;
          }}
        />
        <button ?disabled=${closed !== "" || isLong || !this.draft}>Send</button>
      </form>
      <p id="relay-note" class="note">
        <span class="bad" role="status">${closed || this.fault || (isLong ? "This message is too long." : "")}</span>
        ${limit ? html`<span class=${isLong ? "bad" : "muted"} title=${COUNTER}>${bytes} / ${limit}</span>` : nothing}
      </p>
    </aside>`;
  }
}

customElements.define("tp-relay", Relay);
