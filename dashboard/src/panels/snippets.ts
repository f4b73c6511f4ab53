// The lines that put the present watchlist into other programs. They are true for this server's address.

export interface Snippet {
  title: string;
  note: string;
  code: string;
}

/** Returns the snippets for symbols. `hasTokens` states whether the server asks for tokens. */
export function snippets(symbols: string[], hasTokens: boolean): Snippet[] {
  const base = new URL(".", location.href);
  const http = `${base.origin}${base.pathname}`.replace(/\/$/, "");
  const ws = http.replace(/^http/, "ws");
  // A symbol may have letters of any script.
  const list = encodeURIComponent(symbols.join(",")).replace(/%(2A|2C|2F|3A)/g, decodeURIComponent);
  const names = JSON.stringify(symbols);
  const bearer = hasTokens ? ` -H 'Authorization: Bearer TOKEN'` : "";
  const inUrl = hasTokens ? "&token=TOKEN" : "";
  const option = hasTokens ? ', token: "TOKEN"' : "";
  const header = hasTokens ? ', additional_headers={"Authorization": "Bearer TOKEN"}' : "";
  return [
    {
      title: "JavaScript",
      note: "In a module of a page. The library connects again and misses nothing.",
      code: `import { connect } from "${http}/client.js";

const client = connect({ url: "${http}", symbols: ${names}${option} });
client.on("update", (event) => console.log(event));`,
    },
    {
      title: "Python",
      note: "pip install websockets",
      code: `import json
from websockets.sync.client import connect

with connect("${ws}/ws?symbols=${list}"${header}) as socket:
    for frame in map(json.loads, socket):
        print(frame)`,
    },
    { title: "curl", note: "One frame a line.", code: `curl -N${bearer} '${http}/ndjson?symbols=${list}'` },
    {
      title: "websocat",
      note: "A WebSocket in a terminal.",
      code: `websocat${hasTokens ? " -H='Authorization: Bearer TOKEN'" : ""} '${ws}/ws?symbols=${list}'`,
    },
    {
      title: "EventSource",
      note: "In a page, without a library.",
      code: `const source = new EventSource("${http}/sse?symbols=${list}${inUrl}");
source.addEventListener("trade", ({ data }) => console.log(JSON.parse(data)));`,
    },
  ];
}
