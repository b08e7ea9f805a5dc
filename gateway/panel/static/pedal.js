// Learns a pedal: what is pressed first takes stills, another one clips. Says so with an event "pedal" once it is kept.
"use strict";

const pedal = $("setup-pedal");
const pedalWords = JSON.parse($("pedal-words").textContent);
const pressed = { still: null, clip: null };
let round = 0; // a newer one ends the one before

function waited(ms) { return new Promise((resolve) => { setTimeout(resolve, ms); }); }
function same(a, b) { return a && b && a.device === b.device && a.word === b.word; }

async function listenToPedals() {
  const mine = ++round;
  while (mine === round && !pressed.clip) {
    $("setup-press").textContent = pressed.still ? pedalWords.press_clip : pedalWords.press;
    let found;
    try { found = await call("/api/v1/devices/pedal", {}); } catch (error) {
      showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action });
      await waited(2000);
      continue;
    }
    if (mine !== round) return;
    $("problem").hidden = true;
    $("setup-listening").textContent = found.listening.length ? "" : pedalWords.nobody;
    if (!found.heard) { if (!found.listening.length) await waited(1000); continue; }
    if (same(found.heard, pressed.still)) { $("setup-heard").textContent = pedalWords.same; continue; }
    if (pressed.still) pressed.clip = found.heard;
    else pressed.still = found.heard;
    $("setup-heard").textContent = [pressed.still, pressed.clip].filter(Boolean)
      .map((each) => filled(pedalWords.heard, { word: each.word.replace(/^\w+:/, "") })).join(" · ");
    $("setup-keep").disabled = false;
    $("setup-again").hidden = false;
  }
}
if (pedal) {
  listenToPedals();
  $("setup-again").addEventListener("click", () => {
    pressed.still = pressed.clip = null;
    $("setup-heard").textContent = "";
    $("setup-keep").disabled = true;
    listenToPedals();
  });
  $("setup-keep").addEventListener("click", () => {
    round += 1;
    pedal.dispatchEvent(new CustomEvent("pedal", { bubbles: true, detail: { pressed, again: listenToPedals } }));
  });
}
