// What the types allow and what they do not. The test command compiles this file, and never runs it.

import WebSocket from "ws";

import { type Client, type Decimal, type FeedStatus, ServerError, type State, connect, parse } from "tickerplant";

const client: Client = connect({ url: "http://localhost:8000", symbols: ["AAPL"], channels: ["trades"], WebSocket });
connect({ WebSocket: globalThis.WebSocket, fetch: globalThis.fetch });

client.on("update", (update) => {
  if (update.type === "trade") {
    const price: Decimal = update.price;
    console.log(price, update.seq.toFixed());
  }
  // @ts-expect-error: a quote has no price.
  if (update.type === "quote") console.log(update.price);
});
const remove: () => void = client.on("state", (state: State) => {
  if (state.state === "reconnecting") console.log(state.inMs, state.reason);
  if (state.state === "refused") console.log(state.status, state.message);
});
client.on("changed", (symbols) => {
  for (const symbol of symbols) console.log(client.store.get(symbol)?.day?.change_percent);
});
// @ts-expect-error: there is no such event.
client.on("tick", remove);

const status: Promise<FeedStatus> = client.control({ action: "speed", speed: "max" });
// @ts-expect-error: a speed is a number or "max".
void client.control({ action: "speed", speed: "10" });

void client.get("bars/AAPL", { interval: "1m" }).then(({ bars }) => bars[0]?.close satisfies Decimal | undefined);
// @ts-expect-error: there is no such route.
void client.get("prices");

export async function read(): Promise<unknown> {
  for await (const { symbol } of client) console.log(symbol);
  const error = new ServerError("bad_symbol", "…");
  return [status, parse("{}"), error.isPermanent];
}
