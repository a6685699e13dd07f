// The number of colors: a slider over powers of two, a field for any number, or the fewest that keep the label.

import { byId } from "./dom.js";
import { percent } from "./numbers.js";
import { hasPalette } from "./options.js";

const LEAST_POWER = 1; // 2 colors

/** Bind slider, field and switch to the options `colors` and `keep`. */
export function bindColors(store, catalog) {
  const [slider, number, auto, keep] = ["colors-slider", "colors-number", "auto", "keep"].map(byId);
  let last = "4"; // what the switch goes back to

  slider.addEventListener("input", () => store.update({ colors: String(2 ** (Number(slider.value) + LEAST_POWER)) }));
  number.addEventListener("input", () => { if (number.value && number.checkValidity()) store.update({ colors: String(Number(number.value)) }); });
  auto.addEventListener("change", () => store.update({ colors: auto.checked ? "auto" : last }));
  keep.addEventListener("input", () => store.update({ keep: keep.value }));
  store.watch((options) => {
    if (options.colors !== "auto") last = options.colors;
    show(options);
  });

  function show(options) {
    const isAuto = options.colors === "auto";
    const owns = hasPalette(options, catalog);
    auto.checked = isAuto;
    keep.value = options.keep;
    byId("keep-text").textContent = percent(Number(options.keep));
    byId("keep-row").hidden = !isAuto || owns;
    for (const control of [slider, number]) control.disabled = isAuto || owns;
    auto.disabled = owns;
    byId("colors-hint").hidden = !owns;
    byId("colors-hint").textContent = "The own palette decides on the number of colors.";
    if (!isAuto) showCount(Number(options.colors));
  }

  function showCount(count) {
    slider.value = Math.round(Math.log2(count)) - LEAST_POWER;
    slider.setAttribute("aria-valuetext", `${count} colors`);
    if (Number(number.value) !== count && document.activeElement !== number) number.value = count;
  }
}
