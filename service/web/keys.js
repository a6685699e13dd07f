// The API key, where the service asks for one: kept for this tab alone, entered in a dialog.

import { byId } from "./dom.js";

const PLACE = "colorcnn-key";

/** Return the key and a dialog that asks for it. Several requests that ask at once share one dialog. */
export function createKeys() {
  const dialog = byId("key-dialog");
  let asking = null;

  const ask = () => {
    asking ??= show(dialog).finally(() => { asking = null; });
    return asking;
  };
  byId("key-button").addEventListener("click", ask);
  byId("key-cancel").addEventListener("click", () => dialog.close(""));
  return { get: () => sessionStorage.getItem(PLACE) ?? "", ask };
}

/** Return whether a key was entered. */
function show(dialog) {
  byId("key-button").hidden = false;
  byId("key-text").textContent = sessionStorage.getItem(PLACE)
    ? "The service does not accept this key. Enter another one."
    : "The page keeps the key until this tab closes, and sends it to this service alone.";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const entered = dialog.returnValue === "use" && byId("key").value.trim();
      if (entered) sessionStorage.setItem(PLACE, entered);
      byId("key").value = "";
      resolve(Boolean(entered));
    }, { once: true });
  });
}
