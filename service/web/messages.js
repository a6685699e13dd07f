// What the page says: one message that stays until it is closed, and announcements for screen readers.

import { byId, element, fill } from "./dom.js";

/** Say something to screen readers. */
export function announce(text) {
  byId("announcement").textContent = text;
}

/** Show one message. detail: its marks around names of options are left out. retry: called by a button; null without one. */
export function showProblem({ title, detail }, retry = null) {
  const close = element("button", { type: "button", className: "button icon", "aria-label": "Close the message", textContent: "×" });
  close.addEventListener("click", clearProblem);
  const text = element("div", {}, element("strong", { textContent: title || "Something went wrong" }), element("p", { textContent: detail.replaceAll("`", "") }));
  const box = element("div", { className: "message" }, text);
  if (retry) box.append(retryButton(retry));
  box.append(close);
  fill(byId("message"), box);
}

/** Remove the message. */
export function clearProblem() {
  fill(byId("message"));
}

function retryButton(retry) {
  const button = element("button", { type: "button", className: "button", textContent: "Try again" });
  button.addEventListener("click", () => { clearProblem(); retry(); });
  return button;
}
