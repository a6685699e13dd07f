// The options of /quantize as the page knows them: defaults, what a request sends, and the fragment of a permalink.
// Every value is text, as in a form; "" leaves the option to the service.

export const DEFAULTS = Object.freeze({
  colors: "4",
  keep: "0.99",
  method: "",
  model: "",
  fidelity: "0",
  dither: "",
  palette: "",
  alpha: "keep",
  background: "#ffffff",
  max_side: "",
  max_bytes: "",
  scale: "1",
});

const OF_SOME_METHODS = ["fidelity", "dither", "palette"];

/** Return [name, value] of each option that differs from its default and that the method supports. */
export function sentOptions(options, catalog) {
  return Object.entries(options).filter(([name, value]) => value !== DEFAULTS[name] && isSent(name, options, catalog));
}

function isSent(name, options, catalog) {
  if (name === "keep") return options.colors === "auto" && !hasPalette(options, catalog);
  if (name === "colors") return !hasPalette(options, catalog);
  if (name === "model") return catalog.allowsModel(options.method, options.model);
  if (name === "scale") return options.max_bytes !== "";
  if (OF_SOME_METHODS.includes(name)) return catalog.supports(options.method, name, options.model);
  return true;
}

/** Whether the own palette decides on the colors of the result. */
export const hasPalette = ({ palette, method }, catalog) => palette !== "" && catalog.supports(method, "palette");

/** Return the fragment of a link that restores the options, without the #; "" where all are at their defaults. */
export function toFragment(options) {
  const changed = Object.entries(options).filter(([name, value]) => value !== DEFAULTS[name]);
  return new URLSearchParams(changed).toString();
}

/** Return all options; those of the fragment that are known and well-formed replace the defaults. */
export function fromFragment(fragment) {
  const given = [...new URLSearchParams(fragment.replace(/^#/, ""))];
  return { ...DEFAULTS, ...Object.fromEntries(given.filter(([name, value]) => isValid(name, value))) };
}

const SHAPES = {
  colors: (value) => value === "auto" || within(value, 2, 256, true),
  keep: (value) => within(value, 0.01, 1),
  method: (value) => /^[a-z0-9_]+$/.test(value),
  model: (value) => /^[\w.-]+$/.test(value),
  fidelity: (value) => within(value, 0, 1),
  dither: (value) => ["true", "false"].includes(value),
  palette: (value) => value.length <= 4000,
  alpha: (value) => ["keep", "flatten"].includes(value),
  background: (value) => /^#[0-9a-f]{6}$/i.test(value),
  max_side: (value) => within(value, 1, 1e6, true),
  max_bytes: (value) => within(value, 1, 1e12, true),
  scale: (value) => value === "auto",
};

const isValid = (name, value) => Object.hasOwn(SHAPES, name) && SHAPES[name](value);

function within(text, least, most, whole = false) {
  const number = Number(text);
  const plain = whole ? /^\d+$/ : /^\d+(\.\d+)?$/;
  return plain.test(text) && number >= least && number <= most;
}
