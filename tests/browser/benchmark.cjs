// The benchmark of the dashboard, in Chromium beside an empty page: frames a second, long tasks, memory, first data.
//
// `node tests/browser/benchmark.cjs [MINUTES]` measures the memory for so many minutes, 10 without the argument. The
// environment is that of `tests/browser/run`: `NODE_PATH` has playwright-core. `TICKERPLANT` names another program.

const { chromium } = require("playwright-core");
const { FLAGS } = require("./browser.cjs");
const { serve } = require("./support.cjs");

const MINUTES = Number(process.argv[2] ?? 10);
/** How long frames are counted, and how often, in turns with the empty page. */
const SECONDS = 10, TURNS = 3;
const FEED = ["--feed", "simulated", "--symbols", "500", "--rate", "1000"];

/** Counts the frames of a page, a second. */
const frames = (page) => page.evaluate((seconds) => new Promise((resolve) => {
  let count = -1;
  const begin = performance.now();
  const next = () => {
    count += 1;
    const spent = performance.now() - begin;
    if (spent < seconds * 1000) requestAnimationFrame(next);
    else resolve((count * 1000) / spent);
  };
  requestAnimationFrame(next);
}), SECONDS);

/** Runs in the page before its scripts: notes long tasks, and when the first price is there. */
function observe() {
  window.longTasks = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({ startTime, duration }) => ({ startTime, duration }))))
    .observe({ type: "longtask", buffered: true });
  const look = () => {
    const text = document.querySelector(".row .last")?.textContent;
    if (text && text !== "–") requestAnimationFrame(() => { window.firstData = performance.now(); });
    else requestAnimationFrame(look);
  };
  look();
}

/** Returns the longest CPU time of a task on the page's main thread within some seconds, in milliseconds. */
async function longestTask(browser, page) {
  await browser.startTracing(page, { categories: ["toplevel"] });
  await page.waitForTimeout(SECONDS * 1000);
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const main = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const isMain = ({ pid, tid }) => main.some((thread) => thread.pid === pid && thread.tid === tid);
  const tasks = traceEvents.filter((event) => event.ph === "X" && event.tdur !== undefined && isMain(event));
  return tasks.reduce((longest, { tdur }) => Math.max(longest, tdur / 1000), 0);
}

/** Returns the used memory of a page in MiB, after a collection of garbage. */
async function memory(session) {
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  return usedSize / 1024 / 1024;
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

(async () => {
  const { server, address } = serve(FEED);
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  const url = `http://${await address}/`;
  const faults = [];
  const judge = (name, value, isGood) => {
    console.log(`${isGood ? "ok" : "FAILED"}: ${name}: ${value}`);
    if (!isGood) faults.push(name);
  };
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    await context.addInitScript(observe);
    const firsts = [];
    for (let turn = 0; turn < 5; turn += 1) {
      const page = await context.newPage();
      await page.goto(url);
      firsts.push(await page.waitForFunction(() => window.firstData).then((handle) => handle.jsonValue()));
      await page.close();
    }
    judge("first paint with data, median of 5", `${Math.round(median(firsts))} ms (of ${firsts.map(Math.round).join(", ")})`, median(firsts) < 1000);

    const empty = await context.newPage();
    await empty.goto(`${url}licenses.txt`);
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForFunction(() => window.firstData);
    await page.waitForTimeout(3000);
    const session = await context.newCDPSession(page);
    // Long tasks count only while the page is in front, and not while its garbage is collected.
    const spans = [];
    const watched = async (work) => {
      const from = await page.evaluate(() => performance.now());
      const result = await work();
      spans.push([from, await page.evaluate(() => performance.now())]);
      return result;
    };
    const counted = { empty: [], page: [] };
    for (let turn = 0; turn < TURNS; turn += 1) {
      await empty.bringToFront();
      counted.empty.push(await frames(empty));
      await page.bringToFront();
      await page.waitForTimeout(1000);
      counted.page.push(await watched(() => frames(page)));
    }
    const rate = (list) => median(list).toFixed(1);
    const ratio = median(counted.page) / median(counted.empty);
    judge("frames a second, beside those of an empty page", `${rate(counted.page)} and ${rate(counted.empty)}, ${ratio.toFixed(3)} times`, ratio >= 0.92);

    const uses = [await memory(session)];
    for (let minute = 0; minute < MINUTES; minute += 1) {
      await watched(() => page.waitForTimeout(60_000));
      uses.push(await memory(session));
    }
    const text = uses.map((use) => use.toFixed(1)).join(", ");
    // The first minutes fill the history of the sparklines.
    const early = uses[Math.min(2, uses.length - 1)];
    judge(`memory over ${MINUTES} minutes`, `${text} MiB`, uses.at(-1) < early * 1.1 + 0.5);
    const longest = await longestTask(browser, page);
    judge("the longest task, in CPU time", `${longest.toFixed(1)} ms`, longest > 0 && longest <= 50);
    // On a machine that does other work, a task takes longer than its CPU time.
    const tasks = (await page.evaluate(() => window.longTasks)).filter(({ startTime: at }) => spans.some(([from, to]) => at > from && at < to));
    console.log(`tasks over 50 ms by the clock: ${tasks.length}, the longest ${Math.round(Math.max(0, ...tasks.map(({ duration }) => duration)))} ms`);
    const updates = await page.evaluate(() => document.querySelector('[data-value="rate"]').textContent);
    console.log(`updates in the last second: ${updates}`);
  } finally {
    await browser.close();
    server.kill();
  }
  process.exitCode = faults.length ? 1 : 0;
})();
