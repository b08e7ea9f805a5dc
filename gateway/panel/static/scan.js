// A barcode scanner is a keyboard: letters faster than a hand's, ended by Enter. What it means the page decides.
"use strict";

{
  const APART_MS = 300; // where nobody types; a slow scanner, a busy box
  const FAST_MS = 35; // in a field: no hand is as fast
  const LEAST = 3; // letters
  const LEAST_IN_FIELD = 5;
  const LONGEST = 64; // of an ID (PS3.5 6.2); what is longer is no wristband
  const AIM = /^\][A-Za-z][0-9]/; // says which kind of barcode it was (ISO/IEC 15424)

  let text = "";
  let at = 0; // when the last letter came
  let slowest = 0; // the longest time between two
  let field = null;
  let before = ""; // what stood in the field

  function begin(event) {
    text = "";
    slowest = 0;
    field = event.target.matches("input, textarea") ? event.target : null;
    before = field ? field.value : "";
  }

  function collect(event) {
    if (!text && event.key === " ") return; // two pictures in a row by the space bar are no scan
    const apart = event.timeStamp - at;
    if (!text || apart > APART_MS || (event.target !== field && field)) begin(event);
    else slowest = Math.max(slowest, apart);
    at = event.timeStamp;
    if (text.length <= LONGEST + 3) text += event.key;
    if (text.length < 2 || field) return;
    event.preventDefault(); // a space in it touches no key and takes no picture
    event.stopImmediatePropagation();
  }

  function end(event) {
    const scanned = text;
    const fast = event.timeStamp - at <= APART_MS;
    const inField = field && event.target === field;
    text = "";
    if (!fast || scanned.length < (inField ? LEAST_IN_FIELD : LEAST) || (inField && slowest > FAST_MS)) return;
    const said = new CustomEvent("scan", {
      cancelable: true,
      detail: { text: scanned.replace(AIM, "").trim(), whole: scanned.length <= LONGEST + 3, field: inField ? field : null, before },
    });
    dispatchEvent(said);
    if (inField && !said.defaultPrevented) return;
    event.preventDefault(); // this Enter touches no key
    event.stopImmediatePropagation();
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.key === "Enter") end(event);
    else if (event.key.length === 1) collect(event);
  }, true);
}

// Whether a scan is this identifier. Capitals make no difference: some scanners send none.
function isScanOf(scanned, identifier) {
  return Boolean(identifier) && scanned.toLowerCase() === identifier.trim().toLowerCase();
}

// A field of the settings or of the first start: the scan is its value, whatever stood there. A person goes on.
addEventListener("scan", (event) => {
  const { field: into, before, text, whole } = event.detail;
  if (!into?.form?.matches("#settings-form, #setup-field")) return;
  event.preventDefault();
  const fits = whole && (into.maxLength < 0 || text.length <= into.maxLength);
  into.value = fits ? text : before;
  into.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertReplacementText" }));
});

// Choose patient: whoever has this ID or accession number.
addEventListener("scan", (event) => {
  const finder = $("scanned-form");
  if (!finder || event.detail.field) return;
  finder.elements.text.value = event.detail.whole ? event.detail.text : "";
  finder.submit();
});

// Is this your patient: the wristband says yes, or stops it.
addEventListener("scan", (event) => {
  const yes = document.querySelector("[data-wristband]");
  if (!yes || event.detail.field) return;
  const same = event.detail.whole && isScanOf(event.detail.text, yes.dataset.wristband);
  $("other-wristband").hidden = same;
  $("wristband-says").textContent = event.detail.text.slice(0, 64);
  if (!("usable" in yes.dataset)) return;
  yes.disabled = !same;
  if (same && "start" in yes.dataset) act(yes); // what ends another exam is touched
});
