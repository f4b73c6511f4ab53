// What the server has refused, in its own words.

import type { ErrorCode } from "./generated.js";

/** An error that the server has answered. */
export class ServerError extends Error {
  override readonly name = "ServerError";

  constructor(
    /**
     * The kind of the error. `not_the_server` is an answer that is not this server's, for example a proxy's.
     */
    readonly code: ErrorCode | "not_the_server",
    message: string,
    /** The status of the HTTP answer, if there was one. */
    readonly status?: number,
  ) {
    super(message);
  }

  /** Whether the same request would be refused again. */
  get isPermanent(): boolean {
    const { code, status } = this;
    return status ? status < 500 && status !== 408 && status !== 429 : code !== "rate_limited";
  }
}
