// The own palette: a list of colors, or the name of one that the service knows.

import { byId, element, fill } from "./dom.js";

const COLOR = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i;

/** Bind the field and the menu to the option `palette`. */
export function bindPalette(store, catalog) {
  const [field, menu] = [byId("palette"), byId("named")];
  const known = new Map(catalog.palettes.map((palette) => [palette.name, palette]));
  const isPalette = (text) => isList(colorsOf(text)) || known.has(text.trim());

  byId("named-field").hidden = !known.size;
  fill(menu, named("", "Choose"), ...catalog.palettes.map(({ name, description }) => named(name, `${name}: ${description}`)));
  field.addEventListener("input", () => {
    if (isPalette(field.value)) store.update({ palette: field.value.trim() });
    show(field.value);
  });
  menu.addEventListener("change", () => {
    field.value = menu.value;
    store.update({ palette: menu.value });
  });
  store.watch(({ palette, method }) => {
    if (document.activeElement !== field) field.value = palette;
    menu.value = known.has(palette) ? palette : "";
    byId("palette-value").textContent = palette ? summary(palette) : "None";
    const unused = palette && !catalog.supports(method, "palette");
    byId("palette-unused").hidden = !unused;
    byId("palette-unused").textContent = unused ? `${catalog.title(method)} makes its own palette. Choose refined, halftone or nearest.` : "";
    show(field.value);
  });

  function show(text) {
    field.setAttribute("aria-invalid", !isPalette(text));
    preview(known.get(text.trim())?.colors ?? colorsOf(text));
  }
}

const named = (value, textContent) => element("option", { value, textContent });

const colorsOf = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);

/** Whether the list is empty, or has 2 to 256 different colors. */
function isList(colors) {
  const valid = colors.every((color) => COLOR.test(color)) && new Set(colors).size === colors.length;
  return !colors.length || (valid && colors.length >= 2 && colors.length <= 256);
}

function summary(palette) {
  const colors = colorsOf(palette);
  return colors.length > 1 ? `${colors.length} colors` : palette;
}

function preview(colors) {
  const valid = colors.filter((color) => COLOR.test(color));
  fill(byId("palette-preview"), ...valid.map((color) => {
    const patch = element("span", { className: "patch" });
    patch.style.setProperty("--color", `#${color.replace("#", "")}`);
    return patch;
  }));
}
