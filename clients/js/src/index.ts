// The client library of tickerplant.

import { TickerClient } from "./client.js";
import type { Client, Options } from "./types.js";

export { parse } from "./decimal.js";
export { ServerError } from "./errors.js";
export type * from "./generated.js";
export type { Query } from "./http.js";
export type { Socket, SocketConstructor } from "./link.js";
export type * from "./types.js";

/** Connects to a server, and subscribes. The client connects again whenever its connection breaks. */
export function connect(options: Options = {}): Client {
  return new TickerClient(options);
}
