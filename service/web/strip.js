// The row of pictures below the stage, to go from one to the other.

import { byId, element, fill } from "./dom.js";

/** Show the pictures; call onChoose with the one that the user selects. */
export function showStrip(pictures, current, onChoose) {
  byId("strip").hidden = pictures.length < 2;
  fill(byId("strip"), ...pictures.map((picture) => element("li", {}, button(picture, picture === current, () => onChoose(picture)))));
}

function button(picture, isCurrent, choose) {
  const content = picture.thumbnail ? element("img", { src: picture.thumbnail, alt: "", width: 56, height: 56 }) : element("span", { textContent: picture.name.slice(0, 8) });
  const made = element("button", { type: "button", className: "thumb", title: picture.name, "aria-label": `Show ${picture.name}`, "aria-pressed": isCurrent }, content);
  made.addEventListener("click", choose);
  return made;
}
