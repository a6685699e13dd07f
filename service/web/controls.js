// The controls of the options: they write into the store, and show what it holds. Colors and methods are in files of
// their own.

import { byId, element, fill } from "./dom.js";
import { DEFAULTS } from "./options.js";
import { bindColors } from "./color-controls.js";
import { bindMethods } from "./method-controls.js";
import { bindPalette } from "./palette-controls.js";

const WIDE = "(min-width: 1000px)";

/** Bind the form of the options to the store; `offer` fills it from the catalog once that is known. */
export function createControls(store) {
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => store.update(DEFAULTS));
  byId("methods-group").open = matchMedia(WIDE).matches;

  for (const name of ["dither", "max_side", "max_bytes", "background", "model"]) bindField(store, name);
  bindFidelity(store);
  bindAlpha(store);
  bindScale(store);
  store.watch(showMore);

  return {
    offer(catalog) {
      bindColors(store, catalog);
      bindPalette(store, catalog);
      bindMethods(store, catalog);
      store.watch((options) => showSupported(options, catalog));
    },
  };
}

/** A field whose text is the value, where it is valid. */
function bindField(store, name) {
  const field = byId(name);
  field.addEventListener("input", () => { if (field.checkValidity()) store.update({ [name]: field.value }); });
  store.watch((options) => { if (field.value !== options[name]) field.value = options[name]; });
}

function bindFidelity(store) {
  const slider = byId("fidelity");
  slider.addEventListener("input", () => store.update({ fidelity: slider.value }));
  store.watch(({ fidelity }) => {
    slider.value = fidelity;
    byId("fidelity-text").textContent = fidelity;
  });
}

function bindAlpha(store) {
  const radios = [...document.getElementsByName("alpha")];
  for (const radio of radios) radio.addEventListener("change", () => store.update({ alpha: radio.value }));
  store.watch(({ alpha }) => { for (const radio of radios) radio.checked = radio.value === alpha; });
}

/** The file may have a limit; then the picture may be made smaller to reach it. */
function bindScale(store) {
  const box = byId("scale");
  box.addEventListener("change", () => store.update({ scale: box.checked ? "auto" : DEFAULTS.scale }));
  store.watch(({ scale, max_bytes: limit }) => {
    box.checked = scale === "auto";
    byId("scale-row").hidden = limit === "";
  });
}

function showMore(options) {
  const names = ["alpha", "background", "dither", "max_side", "max_bytes", "scale"];
  const changed = names.filter((name) => options[name] !== DEFAULTS[name]).length;
  byId("more-value").textContent = changed ? `${changed} changed` : "";
}

/** Hide what the method does not support, and fill the menu of models with what it does. */
function showSupported(options, catalog) {
  const { method, model } = options;
  const groups = catalog.modelGroups(method);
  byId("fidelity-field").hidden = !catalog.supports(method, "fidelity", model);
  byId("dither-field").hidden = !catalog.supports(method, "dither");
  byId("model").disabled = !groups.length;
  byId("model-hint").hidden = groups.length > 0;
  byId("model-hint").textContent = `${catalog.title(method)} works without a recognizer; the default one reads its result.`;
  fill(byId("model"), element("option", { value: "", textContent: "Automatic" }), ...groups.map(([label, names]) => optionGroup(label, names)));
  byId("model").value = model;
  if (byId("model").selectedIndex < 0) byId("model").value = "";
}

function optionGroup(label, names) {
  return element("optgroup", { label }, ...names.map((name) => element("option", { value: name, textContent: name })));
}
