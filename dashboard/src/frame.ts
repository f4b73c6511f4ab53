// Draws once a frame: collects what asks to be drawn, and draws all of it in the browser's next frame.

const due = new Set<() => void>();
let requested = false;

/** Calls a function in the next frame. A function that is asked for several times is called once. */
export function inNextFrame(draw: () => void): void {
  due.add(draw);
  if (requested) return;
  requested = true;
  requestAnimationFrame(() => {
    requested = false;
    const draws = [...due];
    due.clear();
    for (const one of draws) one();
  });
}
