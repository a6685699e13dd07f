// Taking the result along: download, and code in three languages and for a folder behind tabs.

import { address } from "./api.js";
import { byId } from "./dom.js";
import { copy } from "./clipboard.js";
import { announce } from "./messages.js";
import * as snippets from "./snippets.js";

const OTHER_FORMATS = { webp: "webp", raw: "bin", packed: "packed" }; // format of the service, and ending of its files

/** Return { show(result), clear() }. keys: whether the code needs a key, see keys.js. onProblem: told of an error. */
export function createExport(keys, api, onProblem) {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  let shown = null;
  let language = "curl";

  const refresh = () => { byId("code").textContent = shown ? snippets[language](detailsOf(shown, keys)) : "Choose a picture first."; };
  const select = (tab) => {
    language = tab.id.replace("tab-", "");
    for (const each of tabs) {
      each.setAttribute("aria-selected", each === tab);
      each.tabIndex = each === tab ? 0 : -1;
    }
    byId("code-panel").setAttribute("aria-labelledby", tab.id);
    refresh();
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => moveBetween(event, tabs, index, select));
  });
  confirmCopy(byId("copy-code"), () => byId("code").textContent);
  for (const format of Object.keys(OTHER_FORMATS)) {
    byId(`download-${format}`).addEventListener("click", () => saveAs(format, shown, api).catch(onProblem));
  }
  return {
    show(result) { shown = result; offerDownload(result); refresh(); },
    clear() { shown = null; offerDownload(null); refresh(); },
  };
}

/** Ask the service for a result in another format, and save it. */
async function saveAs(format, { picture, options, filename }, api) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await api.file(picture, options, format));
  link.download = filename.replace(/png$/, OTHER_FORMATS[format]);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Make a button copy a text and say that it did. */
export function confirmCopy(button, text) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const done = (await copy(text())) ? "Copied" : "Copying failed; select the text";
    announce(done);
    button.textContent = done;
    setTimeout(() => { button.textContent = label; }, 1500);
  });
}

function moveBetween(event, tabs, index, select) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const next = tabs[(index + step + tabs.length) % tabs.length];
  next.focus();
  select(next);
}

const detailsOf = (result, keys) => ({
  url: address("quantize"), file: result.picture.name, options: result.options, result: result.filename, key: Boolean(keys.get()),
});

function offerDownload(result) {
  const link = byId("download");
  for (const format of Object.keys(OTHER_FORMATS)) byId(`download-${format}`).disabled = !result;
  if (link.href) URL.revokeObjectURL(link.href);
  if (!result) {
    link.removeAttribute("href");
    link.setAttribute("aria-disabled", "true");
    return;
  }
  link.removeAttribute("aria-disabled");
  link.href = URL.createObjectURL(result.png);
  link.download = result.filename;
  link.textContent = `Download ${result.filename}`;
}
