// Ways for pictures into the page: the file dialog, dropping, pasting.

import { byId } from "./dom.js";

/** Call onFiles with the files that the user gives. */
export function receiveFiles(onFiles) {
  const input = byId("file");
  const give = (list) => { if (list?.length) onFiles([...list]); };
  for (const id of ["pick", "another"]) byId(id).addEventListener("click", () => input.click());
  input.addEventListener("change", () => { give(input.files); input.value = ""; });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) { event.preventDefault(); give(event.clipboardData.files); }
  });
  receiveDrops(give);
}

function receiveDrops(give) {
  const veil = byId("veil");
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) veil.hidden = true; });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    give(event.dataTransfer.files);
  });
}
