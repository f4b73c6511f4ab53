// The panel of settings: how the page looks, and the token.

import { LitElement, html } from "lit";
import { PALETTES, THEMES, type Preferences } from "../state/preferences";

export class SettingsPanel extends LitElement {
  static override properties = { preferences: {}, owner: {}, hasToken: { type: Boolean } };

  declare preferences: Preferences;
  /** The owner of the token, where the server has said it. */
  declare owner: string;
  declare hasToken: boolean;

  override createRenderRoot(): HTMLElement {
    return this;
  }

  private change(part: Partial<Preferences>): void {
    this.dispatchEvent(new CustomEvent("change-preferences", { detail: { ...this.preferences, ...part } }));
  }

  private choice<K extends "theme" | "palette">(name: K, title: string, options: Record<string, string>) {
    return html`<fieldset>
      <legend>${title}</legend>
      ${Object.entries(options).map(
        ([value, label]) =>
          html`<label class="check"
            ><input
              type="radio"
              name=${name}
              value=${value}
              .checked=${this.preferences[name] === value}
              @change=${() => this.change({ [name]: value })}
            />${label}</label
          >`,
      )}
    </fieldset>`;
  }

  override render() {
    return html`${this.choice("theme", "Theme", THEMES)} ${this.choice("palette", "Rises and falls", PALETTES)}
      <label class="check"
        ><input
          type="checkbox"
          .checked=${this.preferences.swapped}
          @change=${(event: Event) => this.change({ swapped: (event.target as HTMLInputElement).checked })}
        />Swap the two colours, as in East Asia</label
      >
      ${
        this.hasToken
          ? html`<p>
              Connected with a token${this.owner ? ` of ${this.owner}` : ""}.
              <button @click=${() => this.dispatchEvent(new CustomEvent("forget"))}>Forget the token</button>
            </p>`
          : ""
      }`;
  }
}

customElements.define("tp-settings", SettingsPanel);
