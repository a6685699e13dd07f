// Copying text. The modern interface needs HTTPS or localhost; elsewhere a hidden text field does it.

import { element } from "./dom.js";

/** Copy a text; return whether that worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyFromField(text);
  }
}

function copyFromField(text) {
  const focused = document.activeElement;
  const field = element("textarea", { value: text, className: "unseen", "aria-hidden": "true" });
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return done;
}
