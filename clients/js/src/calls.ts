// Commands to the server, and the calls of the program that wait for the replies.

import type { Link } from "./link.js";

/** A call of the program that waits for the server. */
export interface Call {
  resolve(): void;
  reject(error: Error): void;
  /** The symbols that a `subscribe` names. */
  symbols?: readonly string[] | undefined;
}

/** The calls of a client. */
export class Calls {
  /** Begins the `id` of all commands. Only the client and the server know it. */
  readonly secret = Math.random().toString(36).slice(2);
  #link: Link | undefined;
  #count = 0;
  /** The commands without a reply, by `id`. */
  readonly #open = new Map<unknown, Call>();
  /** The calls that the first reply of the next connection answers, because it brings what they ask for. */
  #waiting: Call[] = [];

  /** Notes that there is a connection, or none. */
  use(link?: Link): void {
    this.#link = link;
    this.#waiting.push(...this.#open.values());
    this.#open.clear();
  }

  /** Sends a command, or leaves it to the next connection. Returns whether it was sent. */
  send(action: string, fields: object, call: Call): boolean {
    const send = this.#link?.send;
    if (send) {
      const id = this.secret + ++this.#count;
      this.#open.set(id, call);
      send(JSON.stringify({ action, id, ...fields }));
    } else {
      this.#waiting.push(call);
    }
    return !!send;
  }

  /** Returns whether a command names this symbol, and has no reply yet. */
  awaits(symbol: string): boolean {
    return [...this.#open.values()].some(({ symbols }) => symbols?.includes(symbol));
  }

  /** Returns the symbols that a command has named. */
  symbols(id: unknown): readonly string[] | undefined {
    return this.#open.get(id)?.symbols;
  }

  /** Answers the call of a command. Returns false if there is none. */
  answer(id: unknown, error?: Error): boolean {
    const call = this.#open.get(id);
    if (error) call?.reject(error);
    else call?.resolve();
    return this.#open.delete(id);
  }

  /** Answers the calls that wait for the next connection. */
  settle(error?: Error): void {
    for (const call of this.#waiting.splice(0)) {
      if (error) call.reject(error);
      else call.resolve();
    }
  }
}
