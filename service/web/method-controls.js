// The methods as radio buttons, each with a line of advice from GET /models.

import { byId, element, fill } from "./dom.js";

export const NEEDS_PALETTE = "nearest";

const AUTOMATIC = { name: "", title: "Automatic", description: "the service chooses by the size of the picture" };

/** Offer the methods of the catalog, and bind them to the option `method`. */
export function bindMethods(store, catalog) {
  const choose = (name) => store.update({ method: name });
  offer(byId("methods"), [AUTOMATIC, ...catalog.recommended], choose);
  offer(byId("other-methods"), catalog.others, choose);
  byId("more-methods").hidden = !catalog.others.length;
  const nearest = document.querySelector(`input[name="method"][value="${NEEDS_PALETTE}"]`);
  store.watch(({ method, palette }) => {
    if (nearest) nearest.disabled = !palette;
    for (const radio of document.getElementsByName("method")) radio.checked = radio.value === method;
    byId("method-value").textContent = method ? catalog.title(method) : AUTOMATIC.title;
    if (catalog.others.some(({ name }) => name === method)) byId("more-methods").open = true;
  });
}

function offer(group, methods, choose) {
  const [legend] = group.children;
  fill(group, legend, ...methods.map((method) => choice(method, choose)));
}

function choice({ name, title, description }, choose) {
  const radio = element("input", { type: "radio", name: "method", value: name });
  radio.addEventListener("change", () => choose(name));
  const text = element("span", {}, element("strong", { textContent: capital(title) }), element("span", { className: "muted small", textContent: capital(plain(description)) }));
  return element("label", { className: "choice" }, radio, text);
}

const plain = (text) => text.replaceAll("`", ""); // which mark names of options in the documents

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
