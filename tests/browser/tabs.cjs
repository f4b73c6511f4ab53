// Tabs for measurements. Playwright listens to each frame of a WebSocket, which costs more time than the page itself.
// These tabs belong to a context that Playwright does not know, so it does not listen.

/** Makes a context. Returns a function that opens a tab of this size and runs a script before those of its pages. */
async function quietContext(browser, { width, height, script }) {
  const session = await browser.newBrowserCDPSession();
  const { browserContextId } = await session.send("Target.createBrowserContext");
  const waiting = new Map();
  let calls = 0;
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result, error } = JSON.parse(message);
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error) reject?.(new Error(error.message));
    else resolve?.(result);
  });

  return async () => {
    const { targetId } = await session.send("Target.createTarget", { url: "about:blank", browserContextId, newWindow: true });
    const { sessionId } = await session.send("Target.attachToTarget", { targetId, flatten: false });
    const send = (method, params = {}) => new Promise((resolve, reject) => {
      calls += 1;
      waiting.set(calls, { resolve, reject });
      const message = JSON.stringify({ id: calls, method, params });
      session.send("Target.sendMessageToTarget", { sessionId, message }).catch(reject);
    });
    /** Calls a function in the page. Returns its result. */
    const evaluate = async (work, argument) => {
      const expression = `(${work})(${JSON.stringify(argument) ?? ""})`;
      const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    };
    const deviceMetrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await send("Emulation.setDeviceMetricsOverride", deviceMetrics);
    await send("Page.enable");
    await send("Page.addScriptToEvaluateOnNewDocument", { source: `(${script})()` });
    return {
      send,
      evaluate,
      goto: (url) => send("Page.navigate", { url }),
      bringToFront: () => send("Page.bringToFront"),
      close: () => session.send("Target.closeTarget", { targetId }),
      /** Waits until a function in the page returns something. Returns this. */
      async until(work, argument) {
        for (;;) {
          // A page that is about to be replaced cannot be asked.
          const value = await evaluate(work, argument).catch(() => undefined);
          if (value) return value;
        }
      },
    };
  };
}

module.exports = { quietContext };
