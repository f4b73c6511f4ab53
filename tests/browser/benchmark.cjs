// The benchmark of the dashboard, in Chromium beside an empty page of the same browser.
//
// `node tests/browser/benchmark.cjs [MINUTES] [NAME]` measures the memory for so many minutes, 10 without the argument.
// A name selects the measurements whose names contain it. The environment is that of `tests/browser/run`: `NODE_PATH` has
// playwright-core. `TICKERPLANT` names another program. On a machine that does other work, `nice -n -10` gives the
// browser its time.

const { setTimeout: sleep } = require("node:timers/promises");
const { chromium } = require("playwright-core");
const { FLAGS } = require("./browser.cjs");
const { serve } = require("./support.cjs");
const { quietContext } = require("./tabs.cjs");

const MINUTES = Number(process.argv[2] ?? 10);
/** How long frames are counted, and how often, in turns with the empty page. */
const SECONDS = 10, TURNS = 3;
/** A page has at least this share of the frames of an empty page. */
const LEAST = 0.92;
/** How far a page is scrolled in each frame, in pixels. Two rows come into view. */
const STEP = 60;

/** A market whose events come at an even rate. */
const feed = (symbols, rate) => ["--feed", "simulated", "--profile", "gbm", "--symbols", String(symbols), "--rate", String(rate)];

/**
 * Counts the frames of a page in some seconds. Scrolls an element in each frame, if one is named. Returns the frames a
 * second, and how often the rows were drawn for each frame.
 */
const frames = (page, scrolled = "") => page.evaluate(({ seconds, step, scrolled }) => new Promise((resolve) => {
  let count = -1, draws = 0, direction = 1;
  const body = document.querySelector(".body");
  const observer = new MutationObserver(() => { draws += 1; });
  if (body) observer.observe(body, { subtree: true, characterData: true });
  const scroller = scrolled && document.querySelector(scrolled);
  const begin = performance.now();
  const next = () => {
    count += 1;
    if (scroller) {
      scroller.scrollTop += direction * step;
      if (scroller.scrollTop <= 0 || scroller.scrollTop + scroller.clientHeight > scroller.scrollHeight - step) direction *= -1;
    }
    const spent = performance.now() - begin;
    if (spent < seconds * 1000) return requestAnimationFrame(next);
    observer.disconnect();
    resolve({ rate: (count * 1000) / spent, draws: draws / count });
  };
  requestAnimationFrame(next);
}), { seconds: SECONDS, step: STEP, scrolled });

/** Runs in a page before its scripts: notes long tasks, and when the first price is there. */
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

/** Returns the longest CPU time of a task on the main thread of a page within some seconds, in milliseconds. */
async function longestTask(browser) {
  await browser.startTracing(undefined, { categories: ["toplevel"] });
  await sleep(SECONDS * 1000);
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const main = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const isMain = ({ pid, tid }) => main.some((thread) => thread.pid === pid && thread.tid === tid);
  const tasks = traceEvents.filter((event) => event.ph === "X" && event.tdur !== undefined && isMain(event));
  return tasks.reduce((longest, { tdur }) => Math.max(longest, tdur / 1000), 0);
}

/** Returns the used memory of a page in MiB, after a collection of garbage. */
async function memory(page) {
  await page.send("HeapProfiler.collectGarbage");
  const { usedSize } = await page.send("Runtime.getHeapUsage");
  return usedSize / 1024 / 1024;
}

/** Returns the CPU time of all processes of the browser so far, in milliseconds. */
async function cpuTime(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  return processInfo.reduce((sum, { cpuTime: seconds }) => sum + seconds * 1000, 0);
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Opens the dashboard, and an empty page beside it. The dashboard has shown so many symbols for some seconds. */
async function openBoth(openTab, url, symbols) {
  const empty = await openTab();
  await empty.goto(`${url}licenses.txt`);
  const page = await openTab();
  await page.goto(url);
  await page.until((rows) => Number(document.querySelector("[role=grid]")?.getAttribute("aria-rowcount")) === rows, symbols + 1);
  await sleep(3000);
  return { empty, page };
}

/** Counts the frames of a page in turns with those of an empty page. `watched` runs each count of the page. */
async function compare(browser, { empty, page }, scrolled, watched = (work) => work()) {
  const counted = { empty: [], page: [], draws: [], cpu: [] };
  for (let turn = 0; turn < TURNS; turn += 1) {
    await empty.bringToFront();
    counted.empty.push((await frames(empty)).rate);
    await page.bringToFront();
    await sleep(1000);
    const before = await cpuTime(browser);
    const { rate, draws } = await watched(() => frames(page, scrolled));
    counted.cpu.push((await cpuTime(browser) - before) / (rate * SECONDS));
    counted.page.push(rate);
    counted.draws.push(draws);
  }
  const ratio = median(counted.page) / median(counted.empty);
  const text = `${median(counted.page).toFixed(1)} and ${median(counted.empty).toFixed(1)}, ${ratio.toFixed(3)} times ` +
    `(CPU time of the browser: ${median(counted.cpu).toFixed(1)} ms a frame)`;
  return { text, ratio, draws: Math.max(...counted.draws) };
}

/** Returns how many updates the page says it has got in the last second. */
const updates = (page) => page.evaluate(() => document.querySelector('[data-value="rate"]').textContent);

/** The measurements, each with its feed. `judge` takes the name of a result, its text, and whether it is good. */
const MEASUREMENTS = {
  "first paint with data": [feed(500, 1000), async ({ openTab, url, judge }) => {
    const firsts = [];
    for (let turn = 0; turn < 5; turn += 1) {
      const page = await openTab();
      await page.goto(url);
      firsts.push(await page.until(() => window.firstData));
      await page.close();
    }
    judge("median of 5", `${Math.round(median(firsts))} ms (of ${firsts.map(Math.round).join(", ")})`, median(firsts) < 1000);
  }],

  "scrolling 5,000 symbols at 2,000 updates a second": [feed(5000, 2000), async ({ browser, openTab, url, judge }) => {
    const pages = await openBoth(openTab, url, 5000);
    const { text, ratio, draws } = await compare(browser, pages, ".scroller");
    judge("frames a second, beside those of an empty page", text, ratio >= LEAST);
    judge("drawings of the rows in each frame", draws.toFixed(3), draws <= 1.05);
  }],

  "10,000 updates a second on 5,000 symbols": [feed(5000, 10_000), async ({ browser, openTab, url, judge }) => {
    const pages = await openBoth(openTab, url, 5000);
    const { text, ratio, draws } = await compare(browser, pages, "");
    judge("frames a second, beside those of an empty page", text, ratio >= LEAST);
    judge("drawings of the rows in each frame", draws.toFixed(3), draws <= 1.05);
    console.log(`updates in the last second: ${await updates(pages.page)}`);
  }],

  "1,000 updates a second on 500 symbols": [feed(500, 1000), async ({ browser, openTab, url, judge }) => {
    const pages = await openBoth(openTab, url, 500);
    const { page } = pages;
    // Long tasks count only while the page is in front, and not while its garbage is collected.
    const spans = [];
    const watched = async (work) => {
      const from = await page.evaluate(() => performance.now());
      const result = await work();
      spans.push([from, await page.evaluate(() => performance.now())]);
      return result;
    };
    const { text, ratio } = await compare(browser, pages, "", watched);
    judge("frames a second, beside those of an empty page", text, ratio >= LEAST);

    const uses = [await memory(page)];
    for (let minute = 0; minute < MINUTES; minute += 1) {
      await watched(() => sleep(60_000));
      uses.push(await memory(page));
    }
    // The first minutes fill the history of the sparklines.
    const early = uses[Math.min(2, uses.length - 1)];
    judge(`memory over ${MINUTES} minutes`, `${uses.map((use) => use.toFixed(1)).join(", ")} MiB`, uses.at(-1) < early * 1.1 + 0.5);
    const longest = await longestTask(browser);
    judge("the longest task, in CPU time", `${longest.toFixed(1)} ms`, longest > 0 && longest <= 50);
    // On a machine that does other work, a task takes longer than its CPU time.
    const tasks = (await page.evaluate(() => window.longTasks)).filter(({ startTime: at }) => spans.some(([from, to]) => at > from && at < to));
    console.log(`tasks over 50 ms by the clock: ${tasks.length}, the longest ${Math.round(Math.max(0, ...tasks.map(({ duration }) => duration)))} ms`);
    console.log(`updates in the last second: ${await updates(page)}`);
  }],
};

(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  try {
    for (const [name, [flags, measure]] of Object.entries(MEASUREMENTS)) {
      if (!name.includes(process.argv[3] ?? "")) continue;
      const { server, address } = serve(flags);
      const judge = (what, value, isGood) => {
        console.log(`${isGood ? "ok" : "FAILED"}: ${name}: ${what}: ${value}`);
        if (!isGood) process.exitCode = 1;
      };
      try {
        const openTab = await quietContext(browser, { width: 1280, height: 800, script: observe });
        await measure({ browser, openTab, url: `http://${await address}/`, judge });
      } finally {
        server.kill();
      }
    }
  } finally {
    await browser.close();
  }
})();
