// The bar of the watchlists: chooses, makes, renames and deletes lists, adds symbols, and filters.

import { LitElement, html, nothing } from "lit";
import { EVERY, type Watchlist, type Watchlists } from "../state/watchlists";

const PEN = html`<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 13l.6-3L10.5 3 13 5.5 6 12.4z"></path></svg>`;
const BIN = html`<svg viewBox="0 0 16 16" aria-hidden="true">
  <path d="M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5"></path>
</svg>`;

/** How many suggestions the field for a new symbol has. */
const SUGGESTIONS = 50;

/** Returns the name of a list, with the number of its symbols. */
const title = ({ name, symbols }: Watchlist) => (symbols[0] === EVERY ? name : `${name} (${symbols.length})`);

export class WatchlistBar extends LitElement {
  static override properties = { lists: {}, filter: {}, names: {}, version: {}, isNaming: { state: true } };

  declare lists: Watchlists;
  declare filter: string;
  /** The symbols that the server knows. */
  declare names: string[];
  /** Changes when the lists change. */
  declare version: number;
  /** Whether the name of the list is being changed. */
  declare isNaming: boolean;

  override createRenderRoot(): HTMLElement {
    return this;
  }

  private tell(name: string, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  private add(event: SubmitEvent): void {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).elements.namedItem("symbol") as HTMLInputElement;
    const known = this.names.find((name) => name.toUpperCase() === field.value.trim().toUpperCase());
    const symbol = known ?? field.value.trim();
    if (symbol) this.tell("add", symbol);
    field.value = "";
  }

  private rename(event: Event): void {
    this.isNaming = false;
    this.tell("rename", (event.target as HTMLInputElement).value);
  }

  override render() {
    const { lists } = this;
    const present = new Set(lists.current.symbols);
    return html`<div class="lists">
        ${
          this.isNaming
            ? html`<input
                aria-label="Name of the watchlist"
                .value=${lists.current.name}
                @change=${this.rename}
                @blur=${this.rename}
              />`
            : html`<select
                aria-label="Watchlist"
                @change=${(event: Event) => this.tell("choose", Number((event.target as HTMLSelectElement).value))}
              >
                ${lists.all.map(
                  (list, index) =>
                    html`<option value=${index} ?selected=${index === lists.index}>${title(list)}</option>`,
                )}
              </select>`
        }
        <button title="Make a new watchlist" @click=${() => this.tell("create")}>New list</button>
        ${
          lists.hasEvery
            ? nothing
            : html` <button
                  class="quiet icon"
                  title="Rename this watchlist"
                  aria-label="Rename"
                  @click=${() => {
                    this.isNaming = true;
                  }}
                >
                  ${PEN}
                </button>
                <button
                  class="quiet icon"
                  title="Delete this watchlist"
                  aria-label="Delete"
                  @click=${() => this.tell("delete")}
                >
                  ${BIN}
                </button>
                <form @submit=${this.add}>
                  <input
                    name="symbol"
                    list="known-symbols"
                    placeholder="Add a symbol"
                    aria-label="Add a symbol"
                    autocomplete="off"
                    autocapitalize="characters"
                    spellcheck="false"
                    @focus=${() => this.tell("need-names")}
                  />
                  <datalist id="known-symbols">
                    ${this.names
                      .filter((name) => !present.has(name))
                      .slice(0, SUGGESTIONS)
                      .map((name) => html`<option value=${name}></option>`)}
                  </datalist>
                  <button>Add</button>
                </form>`
        }
      </div>
      <input
        class="filter"
        type="search"
        placeholder="Filter symbols  /"
        aria-label="Filter symbols"
        autocomplete="off"
        spellcheck="false"
        .value=${this.filter}
        @input=${(event: Event) => this.tell("filter", (event.target as HTMLInputElement).value)}
      />`;
  }

  override updated(): void {
    if (this.isNaming) this.querySelector<HTMLInputElement>(".lists input")?.select();
  }
}

customElements.define("tp-watchlist-bar", WatchlistBar);
