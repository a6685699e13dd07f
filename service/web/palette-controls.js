// The own palette: a list of colors, or the name of one that the service knows.

import { byId, element, fill } from "./dom.js";

const COLOR = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i;
const NAME = /^[a-z][a-z0-9_-]*$/i;

/** Bind the field and the menu to the option `palette`. */
export function bindPalette(store) {
  const [field, menu] = [byId("palette"), byId("named")];
  const take = (text) => { if (isPalette(text)) store.update({ palette: text.trim() }); };
  field.addEventListener("input", () => {
    field.setAttribute("aria-invalid", !isPalette(field.value));
    take(field.value);
    preview(field.value);
  });
  menu.addEventListener("change", () => { take(menu.value); });
  store.watch(({ palette }) => {
    if (document.activeElement !== field) field.value = palette;
    menu.value = palette;
    if (menu.selectedIndex < 0) menu.value = "";
    byId("palette-value").textContent = palette ? summary(palette) : "None";
    field.setAttribute("aria-invalid", !isPalette(field.value));
    preview(field.value);
  });
}

const colorsOf = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);

/** Whether the text is empty, a name, or 2 to 256 different colors. */
function isPalette(text) {
  const colors = colorsOf(text);
  const valid = colors.every((color) => COLOR.test(color)) && new Set(colors).size === colors.length;
  const isName = colors.length === 1 && NAME.test(colors[0]) && !COLOR.test(colors[0]);
  return !colors.length || isName || (valid && colors.length >= 2 && colors.length <= 256);
}

function summary(palette) {
  const colors = colorsOf(palette);
  return colors.length > 1 ? `${colors.length} colors` : palette;
}

function preview(text) {
  const colors = colorsOf(text).filter((color) => COLOR.test(color));
  fill(byId("palette-preview"), ...colors.map((color) => {
    const patch = element("span", { className: "patch" });
    patch.style.setProperty("--color", `#${color.replace("#", "")}`);
    return patch;
  }));
}
