// The sample pictures of the start. samples/README of the project says where they come from.

import { address } from "./api.js";
import { byId, element } from "./dom.js";

const SAMPLES = [
  { file: "cat.jpg", text: "Cat" },
  { file: "balloon.png", text: "Balloon" },
  { file: "clock.png", text: "Clock, transparent" },
];

/** Offer the samples; call onFiles with the chosen one. */
export function offerSamples(onFiles) {
  for (const sample of SAMPLES) {
    const image = element("img", { src: `web/samples/${sample.file}`, alt: "", width: 132, height: 99, decoding: "async" });
    const button = element("button", { type: "button", className: "sample" }, image, element("span", { textContent: sample.text }));
    button.addEventListener("click", async () => onFiles([await fetched(sample.file)]));
    byId("samples").append(element("li", {}, button));
  }
}

async function fetched(name) {
  const blob = await (await fetch(address(`web/samples/${name}`))).blob();
  return new File([blob], name, { type: blob.type });
}
