// The divider between original and result: a slider for pointer, touch and keys.

import { byId } from "./dom.js";

const STEPS = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10 };

/** Return the divider of a stage: what is left of it shows the original. */
export function createDivider(stage) {
  const handle = byId("divider");
  let share = 50; // percent of the width

  const set = (next) => {
    share = Math.min(Math.max(next, 0), 100);
    stage.style.setProperty("--divider", `${share}%`);
    handle.setAttribute("aria-valuenow", Math.round(share));
    handle.setAttribute("aria-valuetext", `${Math.round(share)} % original`);
  };
  const moveTo = (clientX) => {
    const box = stage.getBoundingClientRect();
    set((100 * (clientX - box.left)) / box.width);
  };

  handle.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    handle.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    event.preventDefault();
  });
  handle.addEventListener("pointermove", (event) => { if (handle.hasPointerCapture(event.pointerId)) moveTo(event.clientX); });
  handle.addEventListener("keydown", (event) => {
    const ends = { Home: 0, End: 100 };
    const next = event.key in ends ? ends[event.key] : share + (STEPS[event.key] ?? NaN);
    if (Number.isNaN(next)) return;
    event.preventDefault();
    set(next);
  });
  set(50);
  return { moveTo, holds: (event) => handle.contains(event.target) };
}
