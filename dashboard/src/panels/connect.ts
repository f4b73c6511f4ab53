// The panel "Connect your own": the watchlist in other programs.

import { LitElement, html } from "lit";
import { snippets } from "./snippets";

export class ConnectPanel extends LitElement {
  static override properties = { symbols: {}, hasTokens: { type: Boolean }, copied: { state: true } };

  declare symbols: string[];
  declare hasTokens: boolean;
  /** The title of the snippet that was copied last. */
  declare copied: string;

  override createRenderRoot(): HTMLElement {
    return this;
  }

  private async copy(title: string, code: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(code);
      this.copied = title;
    } catch {
      // Without TLS or permission, a browser has no clipboard. Then the text is selected, to be copied by hand.
      const block = [...this.querySelectorAll("section")]
        .find((one) => one.dataset.title === title)
        ?.querySelector("code");
      if (block) getSelection()?.selectAllChildren(block);
    }
  }

  override render() {
    return html`<p class="muted">
        The present watchlist, from this server${this.hasTokens ? ". Put your token in place of TOKEN" : ""}.
      </p>
      ${snippets(this.symbols, this.hasTokens).map(
        ({ title, note, code }) =>
          html`<section data-title=${title}>
            <header>
              <h3>${title}</h3>
              <span class="muted">${note}</span>
              <button aria-label="Copy the ${title} lines" @click=${() => this.copy(title, code)}>
                ${this.copied === title ? "Copied" : "Copy"}
              </button>
            </header>
            <pre tabindex="0" aria-label="${title}"><code>${code}</code></pre>
          </section>`,
      )}`;
  }
}

customElements.define("tp-connect", ConnectPanel);
