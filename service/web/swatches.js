// The palette of a result: a button for each color, which copies it.

import { byId, element, fill } from "./dom.js";
import { copy } from "./clipboard.js";
import { announce } from "./messages.js";
import { percent } from "./numbers.js";

const SHOWN = 256;

/** Show the colors of a report, the most frequent first, with the share of each. */
export function showSwatches({ palette, counts, alpha }) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const entries = palette.map((color, index) => ({ color, count: counts[index], alpha: alpha?.[index] ?? 255 }));
  entries.sort((a, b) => b.count - a.count);
  byId("swatches-title").textContent = `Palette, ${palette.length} colors`;
  byId("swatches").classList.toggle("many", palette.length > 16);
  fill(byId("swatches"), ...entries.slice(0, SHOWN).map((entry) => element("li", {}, swatch(entry, total))));
}

function swatch({ color, count, alpha }, total) {
  const opacity = alpha === 255 ? "" : `, opacity ${percent(alpha / 255)}`;
  const button = element("button", {
    type: "button",
    className: "swatch",
    title: `${color}${opacity}: ${count.toLocaleString("en")} pixels. Click copies the color.`,
    "aria-label": `Copy ${color}${opacity}, ${percent(count / total)} of the pixels`,
  });
  const patch = element("span", { className: "patch" });
  patch.style.setProperty("--color", alpha === 255 ? color : color + alpha.toString(16).padStart(2, "0"));
  button.append(patch, element("code", { textContent: color }), element("span", { className: "muted small", textContent: count.toLocaleString("en") }));
  button.addEventListener("click", () => copyColor(button, color));
  return button;
}

async function copyColor(button, color) {
  const text = (await copy(color)) ? `Copied ${color}` : `Select and copy ${color}`;
  announce(text);
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 900);
}
