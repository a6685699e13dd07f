// The sign of work on the stage: how long it takes, that the service is busy, and a way to make it quicker.

import { byId } from "./dom.js";
import { announce } from "./messages.js";

const PATIENCE = 3; // seconds until the page offers to scale a large picture down
const LARGE = 2000; // pixels
const QUICKER_SIDE = "1600";

/** Return { start(picture), stop(), wait(seconds) }. */
export function createProgress(store) {
  let timer = 0;
  let began = 0;

  const seconds = () => Math.floor((performance.now() - began) / 1000);
  const say = (text) => { byId("working-text").textContent = text; };
  byId("quicker").addEventListener("click", () => store.update({ max_side: QUICKER_SIDE }));

  function tick({ width, height }) {
    if (seconds() >= 1) say(`Working, ${seconds()} s`);
    byId("quicker").hidden = seconds() < PATIENCE || Math.max(width, height) <= LARGE || store.get().max_side !== "";
  }

  return {
    start(picture) {
      clearInterval(timer);
      began = performance.now();
      timer = setInterval(() => tick(picture), 500);
      say("Working");
      byId("working").hidden = false;
      byId("stage").setAttribute("aria-busy", "true");
    },
    stop() {
      clearInterval(timer);
      byId("working").hidden = true;
      byId("quicker").hidden = true;
      byId("stage").removeAttribute("aria-busy");
    },

    /** Say that the service is busy; null: it is asked again. */
    wait(pause) {
      clearInterval(timer);
      const text = pause === null ? "Working" : `The service is busy; trying again in ${pause} s`;
      say(text);
      if (pause !== null) announce(text);
    },
  };
}
