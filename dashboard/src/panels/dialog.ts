// A dialog over the page, with one of the panels in it.

import { LitElement, html, nothing, type TemplateResult } from "lit";

export class Dialog extends LitElement {
  static override properties = { heading: {}, content: {} };

  /** The title of the dialog, or an empty text for no dialog. */
  declare heading: string;
  declare content: TemplateResult | typeof nothing;

  /** What had the focus before the dialog. */
  private focused: Element | null = null;

  override createRenderRoot(): HTMLElement {
    return this;
  }

  override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("heading") && this.heading) this.focused ??= document.activeElement;
  }

  override updated(changed: Map<string, unknown>): void {
    if (!changed.has("heading")) return;
    const dialog = this.querySelector("dialog");
    if (dialog && !dialog.open) dialog.showModal();
    if (this.heading) return;
    if (this.focused instanceof HTMLElement) this.focused.focus();
    this.focused = null;
  }

  private close(): void {
    this.dispatchEvent(new CustomEvent("close-dialog"));
  }

  /** Closes the dialog when a person clicks beside it. */
  private clicked(event: MouseEvent): void {
    if (event.target === event.currentTarget) this.close();
  }

  override render() {
    if (!this.heading) return nothing;
    return html`<dialog aria-labelledby="dialog-title" @click=${this.clicked} @cancel=${this.close}>
      <div class="inside">
        <header>
          <h2 id="dialog-title">${this.heading}</h2>
          <button class="quiet" aria-label="Close" title="Close (Esc)" @click=${this.close}>✕</button>
        </header>
        ${this.content}
      </div>
    </dialog>`;
  }
}

customElements.define("tp-dialog", Dialog);
