// The live screen: draws pictures, says when they stop, sends presses, shows what was stored.
"use strict";

const data = JSON.parse($("data").textContent);
const say = JSON.parse($("live-words").textContent);
const STALE_MS = 500; // an older picture is not live
const STILL_MS = 60000;
const SETTLED_MS = 1000; // after an answer: what was told meanwhile may be older
const OTHERS = Math.max(data.sources.length - 1, 0);
const THUMBS = matchMedia("(min-width: 1100px)").matches ? 6 - OTHERS : [5, 3, 2, 1][OTHERS];
const canvas = $("picture");
const nothing = { sequence: 0, drawn: -Infinity, on: false, print: "", printed: 0 };
let live = { ...nothing };
let box = { recorder: "unknown", sources: [], clip: null, last: null, exam: data.exam };
let captures = data.captures;
let clipCall = ""; // "start" or "stop" while the box has not answered
let ended = ""; // the clip that a person stopped: nothing is recorded any more, whatever the box is still storing
let answers = null;
let unclear = 0; // presses of which nobody knows what became

// --- the picture -------------------------------------------------------------------------------------------------

let preview = null;

function watch() {
  preview?.close();
  live = { ...nothing };
  if (data.source) preview = new Preview(data.source, Math.round(canvas.clientWidth * devicePixelRatio) || 640, draw);
  $("which").textContent = data.source;
  if ($("sides")) $("sides").hidden = !data.sources.find(({ name }) => name === data.source)?.sides;
}

function draw(bitmap, sequence, bytes) {
  paint(canvas, bitmap);
  if (sequence === live.sequence) return; // the same picture once more is no sign of life
  live.sequence = sequence;
  live.drawn = performance.now();
  const print = fingerprint(bytes);
  if (print !== live.print) { live.print = print; live.printed = live.drawn; }
  judge();
}

function fingerprint(bytes) {
  let sum = bytes.length;
  for (let i = 0; i < bytes.length; i += 97) sum = (sum * 31 + bytes[i]) | 0;
  return String(sum);
}

function look(source) {
  data.source = source;
  history.replaceState(null, "", `?source=${encodeURIComponent(source)}`);
  watch();
  judge();
}

// --- honesty -------------------------------------------------------------------------------------------------------

function source() { return box.sources.find((one) => one.name === data.source); }

function judge() {
  const now = performance.now();
  const ours = box.recorder !== "ok" || box.exam === data.exam;
  live.on = now - live.drawn < STALE_MS && ours && source()?.state !== "no-signal-picture"; // a card moves on the screen too
  document.body.dataset.live = live.on ? "on" : "off";
  $("over").hidden = live.on;
  const pill = $("pill");
  pill.dataset.state = live.on ? "on" : "off";
  if (live.on) {
    const from = source();
    const unmoved = now - live.printed > STILL_MS;
    pill.textContent = unmoved ? say.still : from?.noise ? say.noise : [say.live, from ? `${from.width}×${from.height} · ${Math.round(from.rate)} fps` : ""].join(" ");
  } else {
    pill.textContent = say.not_live;
    const [what, action] = reason(ours);
    if ($("over-what").textContent !== what) { $("over-what").textContent = what; $("over-do").textContent = action; }
  }
  note();
  keys();
  hearSide();
}

function attached() {
  for (const [id, devices] of [["pedal", box.pedals], ["sign", box.signs]]) {
    $(id).hidden = (devices || []).every((one) => one.connected);
  }
}

function note() {
  const from = live.on ? source() : null;
  const said = from?.size_expected === false ? say.size : from?.levels_cut ? say.levels : "";
  $("note").hidden = said === "";
  if ($("note").textContent !== said) $("note").textContent = said;
}

function reason(ours) {
  if (!ours) return say.changed;
  if (box.trouble) return [box.trouble.what, box.trouble.action];
  if (box.recorder === "gone" || $("lost").hidden === false) return say.gone;
  if (!data.source) return say.no_source;
  const state = source()?.state;
  if (state === "refused") { // why and what to do differ: the box says both
    const { what, action, code } = source();
    return [what || say.refused, `${action || ""} ${code || ""}`];
  }
  if (state && state !== "live" && say[state]) return say[state];
  return live.drawn === -Infinity ? [say.not_live, say.waiting] : say.stopped;
}

setInterval(judge, 100);

// --- keys ------------------------------------------------------------------------------------------------------------

function keys() {
  $("capture")?.setAttribute("aria-disabled", String(!live.on)); // who may only look has no keys
  const recording = box.clip !== null && box.clip.clip !== ended;
  const key = $("clip");
  key?.classList.toggle("recording-clip", recording);
  const hot = box.machine?.heat === "hot"; // the line above says so
  key?.setAttribute("aria-disabled", String(clipCall !== "" || (!recording && (!live.on || hot))));
  if (key) $("clip-word").textContent = clipCall === "start" ? say.starting : clipCall === "stop" ? say.storing : recording ? say.stop : say.clip;
  const here = recording && box.clip.source === data.source;
  $("stage").classList.toggle("recording", here);
  $("rec").hidden = !recording;
  if (recording) $("rec").textContent = filled(here ? say.rec : say.rec_of, { source: box.clip.source, time: time(box.clip.seconds), limit: time(box.clip.limit_seconds) });
  sources?.judge(recording ? box : { ...box, clip: null });
  const ends = recording && box.clip.ends;
  $("ends").hidden = !ends;
  if (ends) $("ends").textContent = filled(ends.why === "limit" ? say.ends : say.ends_full, { time: time(ends.seconds) });
  const why = clipCall === "stop" ? say.clip_storing : recording || clipCall ? say.stop_first : presses.length ? filled(say.wait_first, { count: presses.length }) : "";
  if (!$("finish")) return;
  $("finish").setAttribute("aria-disabled", String(why !== ""));
  $("finish-why").textContent = why;
  $("finish-why").hidden = why === "";
}

// --- the side of the body ----------------------------------------------------------------------------------------

let side = data.side; // of what is taken from now on, as the box has it
let sideAsked = null; // what was touched while the box has not answered
let sideHeard = data.side; // what the box told last; it may be from before its answer
let sideSaid = -Infinity;

function ofSide() { return $("sides")?.hidden === false ? { laterality: sideAsked ?? side } : {}; } // a press is of the side that was touched

function hearSide() { // somebody else's word, or this screen's own
  if (sideAsked !== null || side === sideHeard || performance.now() - sideSaid < SETTLED_MS) return;
  side = sideHeard;
  showSide();
}

function showSide() {
  for (const key of document.querySelectorAll("[data-side]")) {
    const chosen = key.dataset.side === side;
    key.classList.toggle("chosen", chosen);
    key.setAttribute("aria-pressed", String(chosen));
  }
}

async function sayFromNowOn(key) {
  if (sideAsked !== null) return; // one after the other
  feel(key);
  sideAsked = key.dataset.side === side ? "" : key.dataset.side;
  try {
    const said = await call(`/api/v1/exams/${data.exam}/laterality`, { laterality: sideAsked });
    side = sideHeard = said.laterality;
    sideSaid = performance.now();
    const last = captures.find(([uid]) => said.sop_instance_uids.includes(uid));
    if (last) last[4] = side;
    tell(last ? filled(say.and_the_last[side], { number: last[3] }) : say.from_now_on[side], "");
    show();
  } catch (error) {
    showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action });
  }
  sideAsked = null;
  showSide();
}

for (const key of document.querySelectorAll("[data-side]")) key.addEventListener("click", () => sayFromNowOn(key));

function time(seconds) {
  const whole = Math.floor(seconds);
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

const presses = !may.has("capture") ? { length: 0, worrying: 0 } : new PressQueue((press, stored, problem) => {
  if (stored) {
    if (!captures.some(([uid]) => uid === stored.sop_instance_uid)) captures.push([stored.sop_instance_uid, "saved", "still", stored.instance_number, press.body.laterality || ""]);
    tell(`✓ ${filled(say.stored_as, { number: Math.max(...captures.map((one) => one[3])) })}`, "done");
  } else if (problem) {
    tell(say.not_stored, "not");
    showProblem(problem);
  } else {
    unclear += 1;
    const lost = filled(say.lost, { count: unclear });
    tell(lost, "not");
    showProblem({ what: lost, action: say.look, code: "SYS-01" });
  }
}, () => { show(); keys(); });

function feel(key) {
  key.classList.add("down");
  setTimeout(() => key.classList.remove("down"), 120);
}

$("capture")?.addEventListener("click", () => {
  if (!live.on) { tell(say.no_live, "not"); return; }
  feel($("capture"));
  $("problem").hidden = true;
  presses.add({ exam: data.exam, source: data.source, frame: live.sequence, ...ofSide() });
  tell(say.storing, "");
});

$("clip")?.addEventListener("click", async () => {
  if ($("clip").getAttribute("aria-disabled") === "true") return;
  feel($("clip"));
  $("problem").hidden = true;
  const stopping = box.clip?.clip === ended ? null : box.clip;
  clipCall = stopping ? "stop" : "start";
  ended = stopping ? stopping.clip : "";
  keys();
  try {
    if (stopping) {
      await call(`/api/v1/clips/${stopping.clip}/stop`, {});
      tell(`✓ ${say.clip_stored}`, "done");
    } else {
      await ask(`/api/v1/exams/${data.exam}/clips`, { source: data.source, request_id: crypto.randomUUID(), ...ofSide() });
    }
  } catch (error) {
    ended = ""; // it may go on
    showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action });
  }
  setTimeout(() => { clipCall = ""; keys(); }, 250); // the box says by itself what is recorded now
});

async function ask(address, body) {
  const until = performance.now() + 5000;
  for (;;) {
    try { return await call(address, body); } catch (error) {
      if (error.problem && !unanswered(error.problem) || performance.now() > until) throw error;
      await new Promise((again) => { setTimeout(again, 400); });
    }
  }
}

$("finish")?.addEventListener("click", (event) => {
  if ($("finish").getAttribute("aria-disabled") === "true") event.preventDefault();
});
addEventListener("keydown", (event) => {
  if (event.code === "Space" && event.target === document.body && !event.repeat) { event.preventDefault(); $("capture")?.click(); }
});

// --- what was stored ---------------------------------------------------------------------------------------------------

function tell(text, kind) {
  const said = $("said");
  said.textContent = text;
  said.className = `soft ${kind}`;
}

function show() {
  const kept = captures.filter(([, state]) => state === "saved").sort((one, other) => one[3] - other[3]);
  const clips = kept.filter(([, , kind]) => kind === "clip").length;
  const stills = kept.length - clips;
  const parts = stills || !clips ? [stills === 1 ? say.image : filled(say.images, { count: stills })] : [];
  if (clips) parts.push(clips === 1 ? say.a_clip : filled(say.clips, { count: clips }));
  const keys = kept.filter(([, , , , , key]) => key).length;
  if (keys) parts.push(filled(say.keys, { count: keys }));
  $("tally").textContent = parts.join(" · ");
  if (presses.worrying) tell(filled(say.unsure, { count: presses.worrying }), "not");
  const newest = kept.slice(-THUMBS).reverse();
  const shown = Array.from({ length: Math.min(presses.length, 2) }, () => null).concat(newest).slice(0, THUMBS);
  const list = $("thumbs");
  const have = new Map([...list.querySelectorAll("li[data-uid]")].map((one) => [one.dataset.uid, one]));
  list.replaceChildren(...shown.map((one) => one === null ? pending() : have.get(one[0]) || thumbnail(one)));
  for (const [uid, , , , said, key] of newest) {
    const item = list.querySelector(`li[data-uid="${uid}"]`);
    if (!item) continue;
    item.querySelector("b").textContent = say.sides[said] || "";
    item.querySelector(".star").hidden = !key;
  }
}

function pending() {
  const item = document.createElement("li");
  item.innerHTML = '<div class="waiting" aria-hidden="true">…</div>';
  return item;
}

function thumbnail([uid, , kind, place]) {
  const item = document.createElement("li");
  item.dataset.uid = uid;
  const link = document.createElement("a");
  link.href = `/picture/${uid}`;
  const picture = document.createElement("img");
  picture.src = `/api/v1/captures/${uid}/thumbnail`;
  picture.alt = filled(say.picture, { number: place });
  const number = document.createElement("span");
  const star = document.createElement("span");
  star.className = "star";
  star.role = "img";
  star.ariaLabel = say.key_image;
  star.hidden = true;
  number.append(star, (kind === "clip" ? "▸ " : "") + place);
  link.append(picture, document.createElement("b"), number);
  item.append(link);
  return item;
}

// --- what the box says ---------------------------------------------------------------------------------------------------

let unnumbered = ""; // the picture of a pedal whose number was not told yet
function number() {
  const picture = captures.find(([uid]) => uid === unnumbered);
  if (!picture) return;
  unnumbered = "";
  tell(`✓ ${filled(say.stored_as, { number: picture[3] })}`, "done");
}

addEventListener("box-source", ({ detail }) => {
  box = detail;
  const last = box.last;
  if (last && answers !== null && last.number > answers && last.origin !== "socket") {
    if (last.answer === "not-stored") { tell(`${say.not_stored}`, "not"); showProblem({ what: last.what, code: last.code }); }
    if (last.answer === "stored") { unnumbered = last.sop_instance_uid; tell(`✓ ${say.stored}`, "done"); number(); }
  }
  if (box.recorder === "ok") answers = last ? last.number : 0;
  attached();
  judge();
});
addEventListener("box-capture", ({ detail }) => {
  if (detail.exam !== data.exam) return;
  captures = detail.captures;
  sideHeard = detail.laterality;
  show();
  number();
});
setInterval(() => { if (presses.worrying) show(); }, 500);
watch();
const sources = OTHERS ? new Sources($("sources"), look) : null;
show();
showSide();
judge();
