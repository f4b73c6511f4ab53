// The watchlists: named lists of symbols, in an order that a person chooses. The first list has every symbol.

import { store, stored } from "./storage";

export interface Watchlist {
  name: string;
  symbols: string[];
}

/** The symbol that stands for every symbol. */
export const EVERY = "*";

const EVERYTHING: Watchlist = { name: "All symbols", symbols: [EVERY] };

export class Watchlists {
  private own: Watchlist[] = stored("watchlists", []);
  private chosen: number = stored("watchlist", 0);

  /** Takes the symbols of the page's address. A list that has the same symbols is chosen, or a new list is made. */
  constructor(symbols?: string[]) {
    if (!symbols) {
      if (!this.all[this.chosen]) this.chosen = 0;
      return;
    }
    const same = this.all.findIndex((list) => list.symbols.join() === symbols.join());
    if (same >= 0) {
      this.chosen = same;
    } else if (symbols.length) {
      this.own = [...this.own, { name: this.freeName("From the address"), symbols }];
      this.chosen = this.own.length;
    }
  }

  get all(): Watchlist[] {
    return [EVERYTHING, ...this.own];
  }

  get index(): number {
    return this.chosen;
  }

  get current(): Watchlist {
    return this.all[this.chosen] ?? EVERYTHING;
  }

  /** Whether the chosen list has every symbol. Such a list cannot be changed. */
  get hasEvery(): boolean {
    return this.current.symbols.includes(EVERY);
  }

  choose(index: number): void {
    this.chosen = index;
    this.save();
  }

  /** Makes a list, and chooses it. */
  create(name: string, symbols: string[]): void {
    this.own = [...this.own, { name: this.freeName(name.trim() || "Watchlist"), symbols }];
    this.chosen = this.own.length;
    this.save();
  }

  /** Deletes the chosen list. */
  delete(): void {
    this.own = this.own.filter((list) => list !== this.current);
    this.chosen = 0;
    this.save();
  }

  rename(name: string): void {
    if (name.trim() && name.trim() !== this.current.name)
      this.replace({ ...this.current, name: this.freeName(name.trim()) });
  }

  /** Adds a symbol to the chosen list. */
  add(symbol: string): void {
    if (!this.current.symbols.includes(symbol))
      this.replace({ ...this.current, symbols: [...this.current.symbols, symbol] });
  }

  remove(symbol: string): void {
    this.replace({ ...this.current, symbols: this.current.symbols.filter((other) => other !== symbol) });
  }

  /** Moves a symbol to another place. */
  move(symbol: string, to: number): void {
    const symbols = this.current.symbols.filter((other) => other !== symbol);
    symbols.splice(Math.max(0, Math.min(to, symbols.length)), 0, symbol);
    this.replace({ ...this.current, symbols });
  }

  private replace(list: Watchlist): void {
    const { current } = this;
    if (current === EVERYTHING || this.hasEvery) return;
    this.own = this.own.map((other) => (other === current ? list : other));
    this.save();
  }

  private freeName(name: string): string {
    const isTaken = (wanted: string) => this.all.some((list) => list.name === wanted);
    let free = name;
    for (let number = 2; isTaken(free); number += 1) free = `${name} ${number}`;
    return free;
  }

  private save(): void {
    store("watchlists", this.own);
    store("watchlist", this.chosen);
  }
}
