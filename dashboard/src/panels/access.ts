// The field for a token, where the server refuses the page, with the server's own words.

import type { State } from "tickerplant";
import { html, nothing } from "lit";
import { currentToken } from "../session/token";

/** Returns the field. `authorize` takes a token, and `retry` connects again. */
export function access(state: State, authorize: (token: string) => void, retry: () => void) {
  if (state.state !== "refused") return nothing;
  const needsToken = state.code === "unauthorized";
  const title = !needsToken
    ? "The server refuses this page"
    : currentToken()
      ? "The server does not take this token"
      : "This server asks for a token";
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).elements.namedItem("token") as HTMLInputElement;
    authorize(field.value.trim());
    field.value = "";
  };
  return html`<section class="access" aria-label="Access">
    <h2>${title}</h2>
    <p role="status">${state.message}</p>
    ${
      needsToken || currentToken()
        ? html`<form @submit=${submit}>
              <input name="token" type="password" aria-label="Token" placeholder="Token" autocomplete="off" />
              <button class="primary">Connect</button>
            </form>
            <p class="muted">The token stays in this tab, and only until the tab is closed.</p>`
        : nothing
    }
    <button @click=${retry}>Try again</button>
  </section>`;
}
