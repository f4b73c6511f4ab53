// Keeps one connection to the server: connects again after a loss, notices silence, and chooses the transport.

import { ServerError } from "./errors.js";
import type { Http, Query } from "./http.js";
import { type Link, type LinkListener, type SocketConstructor, openSocket, openStream } from "./link.js";
import type { State, Transport } from "./types.js";

/** The longest wait before the first attempt to connect again, in milliseconds. Each further attempt doubles it. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
/** Milliseconds between heartbeats, until the server has said its own. */
const HEARTBEAT = 5_000;
const NO_SOCKET = "the server answers, but there is no WebSocket; does a proxy in between support WebSockets?";
const NO_ANSWER = "the server does not answer";

/** What uses the connection. */
export interface ConnectionUser {
  /** Does what must be done before the next connection. */
  prepare(): Promise<void>;
  /** Returns the parameters of a stream, or `undefined` if there is nothing to stream. */
  query(): Query | undefined;
  /** A connection is open. A WebSocket sends its commands now. */
  opened(link: Link): void;
  frame(text: string): void;
  /** The connection has ended; without a cause, because its user asked for another one. */
  lost(cause?: unknown): void;
  /** There is a new state. */
  state(state: State): void;
}

/** A connection that comes back. */
export class Connection {
  state: State = { state: "connecting" };
  #link: Link | undefined;
  /** Counts connections, so that what belongs to an earlier one is ignored. */
  #run = 0;
  #attempts = 0;
  #wait: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #heartbeat = 0;
  #heard = 0;
  #isOpen = false;
  #isStale = false;
  #isReady = false;
  /** How often in a row there was no WebSocket although the server answered. */
  #blocked = 0;

  constructor(
    private readonly http: Http,
    private readonly Socket: SocketConstructor | undefined,
    private readonly transport: "auto" | Transport,
    private readonly user: ConnectionUser,
  ) {
    if (transport === "websocket" && !Socket) {
      throw new TypeError("there is no global WebSocket; give one as the option `WebSocket`");
    }
    globalThis.addEventListener?.("online", this.#wake);
    globalThis.document?.addEventListener("visibilitychange", this.#wake);
  }

  /** How the frames arrive at present. */
  get #transport(): Transport {
    if (this.transport !== "auto") return this.transport;
    return this.Socket && this.#blocked < 2 ? "websocket" : "sse";
  }

  /** Connects, or connects anew. */
  async open(): Promise<void> {
    const run = this.#drop();
    this.#heard = Date.now();
    this.#isOpen = this.#isStale = this.#isReady = false;
    if (this.state.state === "refused") this.#show({ state: "connecting" });
    try {
      await this.user.prepare();
    } catch (error) {
      if (run === this.#run) this.lose(error);
      return;
    }
    if (run !== this.#run) return;
    const listener: LinkListener = {
      open: () => {
        this.#isOpen = true;
        this.#heard = Date.now();
        if (!this.#heartbeat) void this.#learn();
        if (this.#link) this.user.opened(this.#link);
        this.#showReady();
      },
      frame: (text) => {
        this.#heard = Date.now();
        if (this.#isStale) {
          this.#isStale = false;
          this.#showReady();
        }
        this.user.frame(text);
      },
      end: (cause) => (this.#isOpen || this.#transport === "sse" ? this.lose(cause) : void this.#ask()),
    };
    if (this.#transport === "websocket") {
      try {
        this.#link = openSocket(this.Socket!, this.http.base, listener);
      } catch (error) {
        return this.lose(error);
      }
    } else {
      const query = this.user.query();
      if (!query) return;
      this.#link = openStream(this.http, query, listener);
    }
    this.#observe();
  }

  /** Says whether all that the server owes has come. */
  ready(isReady: boolean): void {
    if (isReady) this.#attempts = 0;
    this.#isReady = isReady;
    this.#showReady();
  }

  /** Gives up the present connection. Connects again later, unless the server would refuse that, too. */
  lose(cause: unknown): void {
    const run = this.#drop();
    this.user.lost(cause);
    if (run !== this.#run) return;
    if (cause instanceof ServerError && cause.isPermanent) {
      const { code, message, status } = cause;
      return this.#show({ state: "refused", code, message, ...(status && { status }) });
    }
    const inMs = Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#wait = setTimeout(() => void this.open(), inMs);
    const reason = cause instanceof TypeError ? NO_ANSWER : cause instanceof Error ? cause.message : String(cause);
    const isOffline = globalThis.navigator?.onLine === false;
    this.#show(isOffline ? { state: "offline" } : { state: "reconnecting", inMs, attempt: this.#attempts, reason });
  }

  /** Connects anew at once, and tries WebSockets again. */
  reconnect(): void {
    this.#attempts = this.#blocked = 0;
    this.user.lost("the program connects anew");
    void this.open();
  }

  /** Begins a stream anew, because its parameters have changed. Does nothing if there is a WebSocket. */
  renewStream(): void {
    if (this.#transport !== "sse" || this.#wait !== undefined) return;
    this.user.lost();
    void this.open();
  }

  close(): void {
    this.#drop();
    this.user.lost();
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
    this.#show({ state: "closed" });
  }

  /** Ends the connection and all waits. Returns the number of the next one. */
  #drop(): number {
    this.#link?.close();
    this.#link = undefined;
    clearTimeout(this.#wait);
    clearInterval(this.#watch);
    this.#wait = undefined;
    return ++this.#run;
  }

  #show(state: State): void {
    const before = this.state;
    if (before.state === state.state && state.state !== "reconnecting" && state.state !== "refused") return;
    this.state = state;
    this.user.state(state);
  }

  #showReady(): void {
    if (!this.#isOpen) return;
    const state = this.#isStale ? "stale" : this.#isReady ? "live" : "catching_up";
    this.#show({ state, transport: this.#transport });
  }

  /** Asks the server how often its heartbeats come. */
  async #learn(): Promise<void> {
    const { heartbeat_ms } = await this.http.get("info").catch(() => ({ heartbeat_ms: 0 }));
    this.#heartbeat = heartbeat_ms;
    if (this.#link) this.#observe();
  }

  #observe(): void {
    clearInterval(this.#watch);
    this.#watch = setInterval(this.#look, (this.#heartbeat || HEARTBEAT) / 2);
  }

  /** After two silent heartbeats asks for a sign of life, and after three gives up. */
  readonly #look = (): void => {
    const heartbeat = this.#heartbeat || HEARTBEAT;
    const silence = Date.now() - this.#heard;
    if (silence < 2 * heartbeat) return;
    if (!this.#isStale) {
      this.#isStale = true;
      if (this.#isOpen) this.#link?.send?.('{"action":"ping"}');
      return this.#showReady();
    }
    if (silence < 3 * heartbeat) return;
    // Something in between has taken the handshake, or lets no frame through.
    if (this.#transport === "websocket" && !this.#isReady) this.#blocked += 2;
    this.lose(`nothing heard for ${Math.round(silence / 1000)} s`);
  };

  /** Connects at once if the page is shown or the device is online, and looks after a connection that is there. */
  readonly #wake = (): void => {
    if (globalThis.document?.visibilityState === "hidden") return;
    if (this.#wait !== undefined) void this.open();
    else if (this.#link) this.#look();
  };

  /** Asks by HTTP why there is no WebSocket, because browsers hide the answer to a failed handshake. */
  async #ask(): Promise<void> {
    const run = this.#drop();
    try {
      await this.http.get("info");
    } catch (error) {
      if (run === this.#run) this.lose(await this.#explain(error));
      return;
    }
    if (run !== this.#run) return;
    // The server may have started only now, so one failure says nothing.
    this.#blocked += 1;
    if (this.transport === "auto") return this.open();
    this.lose(NO_SOCKET);
  }

  /** Returns why a request got no answer. A browser hides it from a page that the server does not admit. */
  async #explain(error: unknown): Promise<unknown> {
    const page = globalThis.location?.origin;
    if (error instanceof ServerError || !page || page === this.http.base.origin) return error;
    if (!(await this.http.answers())) return error;
    return new ServerError("forbidden", `the server does not admit pages of ${page} (server.allowed_origins)`);
  }
}
