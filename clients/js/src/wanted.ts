// What the program has subscribed to.

import type { Channel } from "./generated.js";

/** All channels, in the order of the protocol. */
export const CHANNELS: readonly Channel[] = ["trades", "quotes", "bars"];

/** The channels of each symbol. The symbol `*` is every symbol. */
export class Wanted {
  readonly #channels = new Map<string, Set<Channel>>();

  /** The symbols. */
  get symbols(): string[] {
    return [...this.#channels.keys()];
  }

  /** The channels that at least one symbol has. */
  get channels(): Channel[] {
    return CHANNELS.filter((channel) => this.#lacking(channel).length < this.#channels.size);
  }

  /** Returns whether events of a symbol are wanted, in this channel or in any. */
  has(symbol: string, channel?: Channel | ""): boolean {
    return [symbol, "*"].some((name) => {
      const own = this.#channels.get(name);
      return channel ? own?.has(channel) : own;
    });
  }

  /** Adds channels of symbols. Returns a function that takes away what was not there before. */
  add(symbols: readonly string[], channels: readonly Channel[]): () => void {
    const undo: (() => void)[] = [];
    for (const symbol of symbols) {
      const own = this.#channels.get(symbol) ?? new Set();
      this.#channels.set(symbol, own);
      for (const channel of channels) {
        if (own.has(channel)) continue;
        own.add(channel);
        undo.push(() => {
          own.delete(channel);
          if (!own.size) this.#channels.delete(symbol);
        });
      }
    }
    return () => undo.forEach((step) => step());
  }

  /** Takes symbols away. */
  remove(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#channels.delete(symbol);
  }

  /** Returns, for each channel that only some symbols have, the symbols that do not have it. */
  exceptions(): { symbols: string[]; channels: Channel[] }[] {
    const all = this.channels.map((channel) => ({ symbols: this.#lacking(channel), channels: [channel] }));
    return all.filter(({ symbols }) => symbols.length);
  }

  #lacking(channel: Channel): string[] {
    return this.symbols.filter((symbol) => !this.#channels.get(symbol)?.has(channel));
  }
}
