// The buttons at the top, which open the panels and the relay.

import { html, nothing, svg, type SVGTemplateResult } from "lit";

export type Panel = "connect" | "settings" | "keys";

/** The titles of the panels. */
export const PANELS: Record<Panel, string> = { connect: "Connect your own", settings: "Settings", keys: "Keys" };

const PATHS: Record<string, SVGTemplateResult> = {
  connect: svg`<path d="M6 4 2 8l4 4M10 4l4 4-4 4"/>`,
  relay: svg`<path d="M2.5 3h11v8h-6l-3 2.5V11h-2z"/>`,
  settings: svg`<path d="M2 4.5h7M12 4.5h2M2 11.5h2M7 11.5h7"/><circle cx="10.5" cy="4.5" r="1.5"/><circle cx="5.5" cy="11.5" r="1.5"/>`,
  keys: svg`<path d="M6 6.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M8 12v.1"/>`,
};

const icon = (name: string) => html`<svg viewBox="0 0 16 16" aria-hidden="true">${PATHS[name]}</svg>`;

/** Returns the buttons. */
export function buttons(isRelayOpen: boolean, unread: number, show: (panel: Panel | "relay") => void) {
  const button = (panel: Panel) =>
    html`<button aria-haspopup="dialog" aria-label=${PANELS[panel]} title=${PANELS[panel]} @click=${() => show(panel)}>
      ${icon(panel)}${panel === "connect" ? html`<span class="label">${PANELS[panel]}</span>` : nothing}
    </button>`;
  return html`<nav aria-label="Panels">
    ${button("connect")}
    <button
      aria-expanded=${isRelayOpen}
      aria-label="Relay"
      title="Messages of clients (r)"
      @click=${() => show("relay")}
    >
      ${icon("relay")}<span class="label">Relay</span
      >${unread ? html`<span class="badge" aria-label="${unread} unread">${unread}</span>` : nothing}
    </button>
    ${button("settings")} ${button("keys")}
  </nav>`;
}
