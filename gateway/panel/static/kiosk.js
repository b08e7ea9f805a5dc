// The page on the box's own screen: it says that it is there, leads nowhere else, and goes dark when nobody is there.
"use strict";

const BEAT_MS = 5000;
const STANDBY_S = 600; // on the list, with no exam open
const DARK_S = 60; // in standby

// A page that is covered or frozen says nothing, and the browser is started anew.
function beat() {
  if (document.visibilityState !== "visible") return;
  fetch("/api/v1/kiosk/beat", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }).catch(() => {});
}
beat();
setInterval(beat, BEAT_MS);

// What a plugged-in keyboard, or a scanner that is set up wrongly, would do with the browser.
const EDITING = new Set(["a", "c", "v", "x", "z"]);
function leadsAway(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) {
    return !(event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey && EDITING.has(event.key.toLowerCase()));
  }
  return /^(F\d+|ContextMenu|Browser.*|Launch.*)$/.test(event.key) || (event.key === "Escape" && event.shiftKey);
}
addEventListener("keydown", (event) => { if (leadsAway(event)) event.preventDefault(); }, true);
for (const kind of ["contextmenu", "dragstart", "auxclick"]) addEventListener(kind, (event) => event.preventDefault(), true);
addEventListener("wheel", (event) => { if (event.ctrlKey) event.preventDefault(); }, { capture: true, passive: false });

// --- standby: black, and back at the first touch, key, scan or press of a pedal ------------------------------

const standby = document.body.classList.contains("standby");
let last = performance.now();

let lit = false; // by this touch, which does nothing else

function wake(event) {
  last = performance.now();
  const dark = document.body.classList.contains("dark");
  if (event?.type === "pointerdown") lit = dark;
  document.body.classList.remove("dark");
  if (!dark && !(event?.type === "click" && lit)) return;
  event?.preventDefault();
  event?.stopImmediatePropagation();
}
for (const kind of ["pointerdown", "click", "keydown"]) addEventListener(kind, wake, true);

let presses = null;
addEventListener("box-source", ({ detail }) => {
  const number = detail.last?.number ?? 0;
  if (presses !== null && number !== presses) wake();
  presses = number;
});
setInterval(() => {
  const quiet = (performance.now() - last) / 1000;
  if (standby && quiet > DARK_S) document.body.classList.add("dark");
  if (document.body.classList.contains("choose") && !document.querySelector('.row-strip[href^="/live/"]') && quiet > STANDBY_S) {
    location.assign("/standby");
  }
}, 1000);
