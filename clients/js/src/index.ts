// The client library of tickerplant.

export { connect } from "./connect.js";
export { parse } from "./decimal.js";
export { ServerError } from "./errors.js";
export type * from "./generated.js";
export type { Query } from "./http.js";
export type { Socket, SocketConstructor } from "./link.js";
export type * from "./types.js";
