// What the server is, and which symbols it has.

import type { Client } from "tickerplant";

export class ServerFacts {
  version = "";
  /** Whether the server asks for tokens. */
  tokens = false;
  /** The greatest length of a message in bytes, or 0 for no limit. */
  relayBytes = 0;
  /** Why this page cannot send messages to peers, or empty. */
  relayClosed = "";
  /** All symbols that have data, once somebody has asked for them. */
  names: string[] = [];

  /** Asks the server. */
  async learn(client: Client): Promise<void> {
    this.relayClosed = client.access?.relay === false ? "This token does not allow messages to peers." : "";
    try {
      const { version, tokens, relay, limits } = await client.get("info");
      this.version = version;
      this.tokens = tokens;
      this.relayBytes = limits.relay_bytes ?? 0;
      if (!relay) this.relayClosed = "This server relays no messages.";
    } catch {
      // The state of the connection says why.
    }
  }

  /** Asks for the symbols. */
  async learnNames(client: Client): Promise<void> {
    try {
      this.names = (await client.get("symbols")).symbols.map(({ symbol }) => symbol);
    } catch {
      // There are no suggestions.
    }
  }
}
