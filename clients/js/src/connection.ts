// Keeps one connection to the server: connects again after a loss, notices silence, and chooses the
// transport.

import { ServerError } from "./errors.js";
import type { Http, Query } from "./http.js";
import { type Link, type LinkListener, type SocketConstructor, openSocket, openStream } from "./link.js";
import type { State, Transport } from "./types.js";

/**
 * The longest wait before the first attempt to connect again, in milliseconds. Each further attempt doubles
 * it.
 */
const FIRST_WAIT = 500;
/** The longest wait before any attempt. */
const LONGEST_WAIT = 15_000;
/** Milliseconds between heartbeats, until the server has said its own. */
const HEARTBEAT = 5_000;
/** How often the client looks for silence, in milliseconds. */
const LOOK_EVERY = 1_000;
/** Why there was no answer. A browser hides the answer from a page that the server does not admit. */
const NO_ANSWER = "the server does not answer" + (globalThis.location ? ", or does not admit this page" : "");

/** What uses the connection. */
export interface ConnectionUser {
  /** Does what must be done before the next connection. */
  prepare(): Promise<void>;
  /** Returns the parameters of a stream, or `undefined` if there is nothing to stream. */
  query(): Query | undefined;
  /** A connection is open. A WebSocket sends its commands now. */
  opened(link: Link): void;
  frame(text: string): void;
  /** The connection has ended: it broke, or another one is to replace it. */
  lost(isLoss: boolean): void;
  /** There is a new state. */
  state(state: State): void;
}

/** A connection that comes back. */
export interface Connection {
  state(): State;
  /** Returns the error with which calls fail while the server refuses, or after `close`. */
  refusal(): Error | undefined;
  /** Says whether all that the server owes has come, after each frame. */
  ready(isReady: boolean): void;
  /** Gives up the present connection. Connects again later, unless the server would refuse that, too. */
  lose(cause: unknown): void;
  /** Connects anew at once, and tries WebSockets again. */
  reconnect(): void;
  /** Begins a stream anew, because its parameters have changed. Does nothing if there is a WebSocket. */
  renewStream(): void;
  close(): void;
}

/** Connects, and keeps the connection. */
export function keepConnected(
  http: Http,
  Socket: SocketConstructor | undefined,
  wish: "auto" | Transport,
  user: ConnectionUser,
): Connection {
  const { document, navigator } = globalThis;
  /** Its signal removes the listeners for events of the page. */
  const life = new AbortController();
  let state: State = { state: "connecting" };
  /** Why the client does not connect again by itself. */
  let refusal: Error | undefined;
  let link: Link | undefined;
  /** Counts connections, so that what belongs to an earlier one is ignored. */
  let run = 0;
  let attempts = 0;
  let wait: ReturnType<typeof setTimeout> | undefined;
  let watch: ReturnType<typeof setInterval> | undefined;
  let heartbeat = 0;
  let heard = 0;
  let isOpen = false;
  let isStale = false;
  let isReady = false;
  /**
   * How certain it is that WebSockets are blocked. 2 is certain. After 1 failure, the server may just have
   * started.
   */
  let blocked = 0;

  const transport = () => (wish !== "auto" ? wish : Socket && blocked < 2 ? "websocket" : "sse");

  /** Ends the connection and all waits. Returns the number of the next one. */
  const drop = () => {
    link?.close();
    link = undefined;
    clearTimeout(wait);
    clearInterval(watch);
    wait = undefined;
    isOpen = isStale = isReady = false;
    return ++run;
  };

  const show = (next: State) => {
    if (state.state === next.state && next.state !== "reconnecting" && next.state !== "refused") return;
    state = next;
    user.state(next);
  };

  const showReady = () => {
    if (isOpen) show({ state: isStale ? "stale" : isReady ? "live" : "catching_up", transport: transport() });
  };

  /** Asks the server how often its heartbeats come. */
  const learn = async () => {
    heartbeat = (await http.get("info").catch(() => undefined))?.heartbeat_ms ?? 0;
  };

  /** After two silent heartbeats asks for a sign of life, and after three gives up. */
  const look = () => {
    const beats = (Date.now() - heard) / (heartbeat || HEARTBEAT);
    if (beats < 2) return;
    if (!isStale) {
      isStale = true;
      if (isOpen) link?.send?.('{"action":"ping"}');
      return showReady();
    }
    if (beats < 3) return;
    // The server may have other heartbeats since its restart, so the client asks again.
    heartbeat = 0;
    // Something in between may have taken the handshake, or let no frame through.
    if (link?.send && !isReady) void ask(2);
    else lose("the server gives no sign of life");
  };

  /** Runs when the page is shown or the device is online. Connects at once, or looks for silence. */
  const wake = () => {
    if (document?.visibilityState === "hidden") return;
    if (wait !== undefined) void open();
    else if (link) look();
  };

  const open = async () => {
    const own = drop();
    heard = Date.now();
    refusal = undefined;
    if (!heartbeat) void learn();
    const listener: LinkListener = {
      open() {
        isOpen = true;
        isStale = false;
        heard = Date.now();
        user.opened(link!);
        showReady();
      },
      frame(text) {
        heard = Date.now();
        if (isStale) {
          isStale = false;
          showReady();
        }
        user.frame(text);
      },
      end: (cause) => (isOpen || transport() === "sse" ? lose(cause) : void ask(1)),
    };
    try {
      await user.prepare();
      if (own !== run) return;
      if (transport() === "websocket") {
        link = openSocket(Socket!, http.base, listener);
      } else {
        const query = user.query();
        if (!query) return show({ state: "connecting" });
        link = openStream(http, query, listener);
      }
      watch = setInterval(look, LOOK_EVERY);
    } catch (error) {
      if (own === run) lose(error);
    }
  };

  /**
   * Asks by HTTP why there is no WebSocket, because browsers hide the answer to a failed handshake. If the
   * server answers the request, something in between blocks WebSockets, with this certainty.
   */
  const ask = async (certainty: number) => {
    const own = drop();
    user.lost(false);
    let cause: unknown = "the server answers, but not by WebSocket; is a proxy in between?";
    try {
      await http.get("info");
      blocked += certainty;
    } catch (error) {
      cause = error;
    }
    if (own !== run) return;
    if (wish === "auto" && typeof cause === "string") void open();
    else lose(cause);
  };

  const lose = (cause: unknown) => {
    const own = drop();
    user.lost(true);
    if (own !== run) return;
    if (cause instanceof ServerError && cause.isPermanent) {
      refusal = cause;
      const { code, message, status } = cause;
      return show({ state: "refused", code, message, status });
    }
    const inMs = Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempts);
    attempts += 1;
    wait = setTimeout(open, inMs);
    const reason = typeof cause === "string" ? cause : cause instanceof ServerError ? cause.message : NO_ANSWER;
    const isOffline = navigator?.onLine === false;
    show(isOffline ? { state: "offline" } : { state: "reconnecting", inMs, attempt: attempts, reason });
  };

  if (wish === "websocket" && !Socket) throw new TypeError("there is no WebSocket; give one as an option");
  globalThis.addEventListener?.("online", wake, life);
  document?.addEventListener("visibilitychange", wake, life);
  void open();
  return {
    state: () => state,
    refusal: () => refusal,
    ready(now) {
      if (!isOpen || isReady === now) return;
      if (now) attempts = 0;
      isReady = now;
      showReady();
    },
    lose,
    reconnect() {
      if (state.state === "closed") return;
      attempts = blocked = 0;
      user.lost(true);
      show({ state: "connecting" });
      void open();
    },
    renewStream() {
      if (transport() !== "sse" || wait !== undefined) return;
      user.lost(false);
      void open();
    },
    close() {
      drop();
      user.lost(false);
      life.abort();
      refusal = new Error("the client is closed");
      show({ state: "closed" });
    },
  };
}
