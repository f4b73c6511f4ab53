// A feed of the lines of standard input. The feed does not parse a line as JSON. A frame is the line with a
// `seq` inserted after the symbol.
//
// Bun and Node read with different functions, because each has its own fastest way to read.

'use strict';

const net = require('node:net');

/// The length of the text before a line's symbol. All kinds of events have five letters.
const BEFORE_SYMBOL = '{"type":"quote","symbol":"'.length;

const READ_BYTES = 64 * 1024;

class StdinFeed {
  seq = 0;

  /// The beginning of a line whose end has not arrived.
  partial = '';

  start(publish) {
    const read = globalThis.Bun ? readWithBun : readWithNode;
    read((text) => this.publishLines(this.partial + text, publish));
  }

  publishLines(text, publish) {
    let start = 0;
    for (let end; (end = text.indexOf('\n', start)) >= 0; start = end + 1) {
      const behindSymbol = text.indexOf('"', start + BEFORE_SYMBOL);
      const symbol = text.slice(start + BEFORE_SYMBOL, behindSymbol);
      this.seq += 1;
      publish(symbol, `${text.slice(start, behindSymbol)}","seq":${this.seq}${text.slice(behindSymbol + 1, end)}`);
    }
    this.partial = text.slice(start);
  }
}

async function readWithBun(take) {
  const decoder = new TextDecoder('latin1');
  for await (const chunk of Bun.stdin.stream()) {
    take(decoder.decode(chunk));
  }
}

function readWithNode(take) {
  const callback = (count, buffer) => {
    take(buffer.latin1Slice(0, count));
    return true;
  };
  const onread = { buffer: Buffer.alloc(READ_BYTES), callback };
  new net.Socket({ fd: 0, readable: true, writable: false, onread });
}

module.exports = { StdinFeed };
