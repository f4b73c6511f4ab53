// One connection to the server: a WebSocket, or a stream of Server-Sent Events.

import { ServerError } from "./errors.js";
import type { Http, Query } from "./http.js";

/** A connection. Only a WebSocket can send. */
export interface Link {
  send?(text: string): void;
  /** Ends the connection. No listener is called any more. */
  close(): void;
}

/** What happens on a connection. */
export interface LinkListener {
  open(): void;
  frame(text: string): void;
  /** The connection has ended, or could not be opened. */
  end(cause: string | ServerError): void;
}

/**
 * The part of a WebSocket that the client needs. Browsers, Node from version 22 and the package `ws` have it.
 */
export interface Socket {
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(text: string): void;
  close(): void;
}

/** The constructor of a WebSocket. */
export type SocketConstructor = new (url: string) => Socket;

/** Opens a WebSocket. */
export function openSocket(Socket: SocketConstructor, base: URL, listener: LinkListener): Link {
  const url = new URL("ws", base);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new Socket(url.href);
  socket.onopen = () => listener.open();
  socket.onmessage = ({ data }: { data: unknown }) => {
    if (typeof data === "string") listener.frame(data);
  };
  socket.onclose = (closed: { code: number; reason: string }) => listener.end(reasonOf(closed));
  // The event has no reason, and a `close` follows.
  socket.onerror = () => {};
  const close = () => {
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  };
  return { send: (text) => socket.send(text), close };
}

/** Returns why a connection was closed, as words for people. */
export function reasonOf({ code, reason }: { code: number; reason: string }): string {
  // The reason of 4008 is a cursor.
  if (code === 4008) return "this client read too slowly";
  // 1006 is a connection without a close.
  return reason || (code === 1006 ? "the connection broke" : `the server closed with ${code}`);
}

/** Opens a stream of Server-Sent Events. Unlike `EventSource`, `fetch` shows why the server refuses. */
export function openStream(http: Http, query: Query, listener: LinkListener): Link {
  const abort = new AbortController();
  const { signal } = abort;
  const read = async () => {
    const { body } = await http.request("sse", query, { signal });
    listener.open();
    const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw done;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (signal.aborted) return;
        if (line.startsWith("data: ")) listener.frame(line.slice("data: ".length));
      }
    }
  };
  read().catch((error: unknown) => {
    if (!signal.aborted) listener.end(error instanceof ServerError ? error : "the connection broke");
  });
  return { close: () => abort.abort() };
}
