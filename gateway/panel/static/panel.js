// Every page: keys that call the API, parts that follow events, the clock, and honesty about a lost box.
"use strict";

const $ = (id) => document.getElementById(id);
const language = document.documentElement.lang;
const words = JSON.parse($("words").textContent);
const may = new Set(document.documentElement.dataset.may.split(" ")); // the box refuses the rest anyhow
const sockets = location.protocol === "https:" ? "wss:" : "ws:";

function filled(message, values) { return message.replace(/\{(\w+)\}/g, (_, name) => values[name]); }

// The width of the screen is known where the box has its own: keys have their size in millimetres then.
const millimetres = Number(document.documentElement.dataset.screenMm);
if (millimetres) document.documentElement.style.setProperty("--mm", `${innerWidth / millimetres}px`);

const GUARD_MS = 300; // a touch that began on the screen before does nothing here
const LOST_MS = 11000; // the box says something every 5 s

const CAME_MS = 1000; // the same on a screen that came by itself: nobody saw it come

// --- touches -------------------------------------------------------------------------------------------------

let armed = false;
let pressedHere = false;
let arming = 0;
function rest(ms = GUARD_MS) { // a screen came under the finger: what touches it at once was meant for the one before
  armed = false;
  document.body.classList.remove("ready");
  clearTimeout(arming);
  arming = setTimeout(() => { armed = true; document.body.classList.add("ready"); }, ms);
}
rest(new URLSearchParams(location.search).has("came") ? CAME_MS : GUARD_MS);
addEventListener("pointerdown", (event) => {
  pressedHere = armed;
  if (!armed) event.stopPropagation(); // keys of the keyboard on the screen type at once
}, true);
addEventListener("click", (event) => {
  if (event.detail > 0 && !pressedHere) { event.preventDefault(); event.stopImmediatePropagation(); }
}, true);

// --- keys that call the API ----------------------------------------------------------------------------------

function showProblem(problem) {
  const text = $("problem").querySelector("p");
  text.replaceChildren();
  const what = document.createElement("b");
  what.textContent = problem.what;
  const code = document.createElement("code");
  code.textContent = problem.code || "";
  text.append(what, ` ${problem.safe || ""} ${problem.action || ""} `, code);
  $("problem").hidden = false;
}

// A field that must not stay empty says so in the words of this box, not in those of the browser.
addEventListener("invalid", (event) => {
  event.preventDefault();
  if (event.target !== event.target.form?.querySelector(":invalid:not(fieldset)")) return; // the first one alone
  showProblem({ what: words.missing });
  event.target.addEventListener("input", () => { $("problem").hidden = true; }, { once: true });
  event.target.focus();
}, true);

async function call(address, body) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json", "accept-language": language },
    body: JSON.stringify(body || {}),
  });
  const value = await answer.json();
  if (answer.ok) return value;
  throw Object.assign(new Error(value.code), { problem: value, status: answer.status });
}

const asked = new WeakMap(); // a key's request id: touching it again after a lost answer asks the same

const SURE_MS = 8000; // for gloves, and for a look at what it is about
const SURE_REST_MS = 600; // two touches of one movement are one
let takeBack = null; // what the key that waits for its second touch was before

// A bar says how long the second touch is waited for; a touch anywhere else takes the first one back at once.
function askAgain(key) {
  const place = key.querySelector(".sure") || key; // of a row only this: whom it is about stays to be read
  const before = [...place.childNodes];
  const bar = document.createElement("span");
  const until = performance.now() + SURE_MS;
  bar.className = "sure-left";
  bar.ariaHidden = "true";
  bar.style.width = "100%";
  key.dataset.second = "";
  place.replaceChildren(key.dataset.sure);
  key.append(bar);
  rest(SURE_REST_MS);
  const shrinking = setInterval(() => {
    const left = until - performance.now();
    if (left > 0) bar.style.width = `${(100 * left) / SURE_MS}%`;
    else takeBack();
  }, 250);
  takeBack = () => {
    takeBack = null;
    clearInterval(shrinking);
    delete key.dataset.second;
    place.replaceChildren(...before);
    bar.remove();
    refresh(); // what changed meanwhile
  };
}
addEventListener("click", (event) => { if (!event.target.closest("[data-second]")) takeBack?.(); }, true);

// An exam that gets its patient while it is open: from Finish one comes back to Finish.
if (/^\/(live|finish)\//.test(location.pathname)) sessionStorage.setItem("whence", location.pathname);
function whenceOf(live) {
  const whence = sessionStorage.getItem("whence") || "";
  return whence.split("/")[2] === live.split("/")[2] ? whence : live;
}

async function act(key) {
  if (key.dataset.sure && !("second" in key.dataset)) return askAgain(key);
  takeBack?.();
  const body = JSON.parse(key.dataset.body || "{}");
  if ("create" in key.dataset) {
    if (!asked.has(key)) asked.set(key, crypto.randomUUID());
    body.request_id = asked.get(key);
  }
  key.disabled = true;
  key.dataset.sending = "";
  $("problem").hidden = true;
  $("answer").hidden = true;
  try {
    const value = await call(key.dataset.post, body);
    if ("answer" in key.dataset) {
      $("answer").querySelector("p").textContent = value.said;
      $("answer").hidden = false;
      key.disabled = false;
      delete key.dataset.sending;
      wanted.add(key.dataset.answer);
      refresh();
      return;
    }
    if (key.dataset.moved) sessionStorage.setItem("moved", key.dataset.moved);
    const next = "whence" in key.dataset ? whenceOf(key.dataset.next) : key.dataset.next;
    if (next === "") leave(() => location.reload());
    else leave(() => location.assign(next.endsWith("/") ? next + value.id : next));
  } catch (error) {
    showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action });
    if (error.problem) asked.delete(key);
    key.disabled = false;
    delete key.dataset.sending;
  }
}

// What became of pictures is said on the page that follows, until the next touch there.
const moved = sessionStorage.getItem("moved");
sessionStorage.removeItem("moved");
if (moved && document.querySelector("#banner .name")) {
  $("answer").querySelector("p").textContent = filled(words.moved, { who: document.querySelector("#banner .name").textContent, counts: moved });
  $("answer").hidden = false;
  addEventListener("click", () => { $("answer").hidden = true; }, { once: true });
}

addEventListener("click", (event) => {
  const key = event.target.closest("[data-post]");
  if (key && !key.disabled) act(key);
});

// --- what the screen itself can do -------------------------------------------------------------------------------

const CLEAN_S = 30;
const COVER_S = 30; // after that the list shows no names until somebody touches it

function clean() {
  const until = performance.now() + CLEAN_S * 1000;
  $("clean").hidden = false;
  const count = setInterval(() => {
    const left = Math.ceil((until - performance.now()) / 1000);
    $("clean-left").textContent = String(Math.max(left, 0));
    if (left <= 0) { clearInterval(count); $("clean").hidden = true; }
  }, 100);
}
for (const kind of ["pointerdown", "click", "keydown"]) {
  addEventListener(kind, (event) => {
    if ($("clean")?.hidden === false) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);
}
$("clean-key")?.addEventListener("click", clean);

addEventListener("click", (event) => {
  const key = event.target.closest("[data-language]");
  if (!key) return;
  document.cookie = `language=${key.dataset.language}; path=/; max-age=31536000; SameSite=Strict`;
  location.reload();
});

addEventListener("click", (event) => {
  const key = event.target.closest("[data-set-theme]");
  if (!key) return;
  document.cookie = `theme=${key.dataset.setTheme}; path=/; max-age=31536000; SameSite=Strict`;
  location.reload();
});

let touched = performance.now();
function cover() { if ($("list") && document.body.classList.contains("choose")) document.body.classList.add("covered"); }
if (new URLSearchParams(location.search).has("next")) cover();
setInterval(() => { if (performance.now() - touched > COVER_S * 1000) cover(); }, 1000);
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { touched = performance.now(); }, true);
addEventListener("click", (event) => {
  if (!document.body.classList.contains("covered")) return;
  document.body.classList.remove("covered");
  if (!event.target.closest("#list") || !document.querySelector("#list .shield")) return; // a key beside the list does what it says
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

// After Finish, when nothing is left to answer, the list comes by itself unless somebody touches the screen. A bar
// shrinks on the key that does the same, so that no other screen comes under a finger unseen.
const ADVANCE_MS = 6000;
if (new URLSearchParams(location.search).has("done") && document.documentElement.dataset.door === "front" && document.querySelector("[data-advance]")) {
  const advance = setTimeout(() => leave(() => location.assign("/?next=1&came=1")), ADVANCE_MS);
  document.body.style.setProperty("--advance", `${ADVANCE_MS}ms`);
  document.body.classList.add("advancing");
  for (const kind of ["pointerdown", "keydown"]) {
    addEventListener(kind, () => { clearTimeout(advance); document.body.classList.remove("advancing"); }, true);
  }
}

// A small picture that has not come yet, or cannot, is not a black one.
function came(picture) {
  const item = picture.parentElement;
  item.dataset.picture = picture.naturalWidth ? "here" : "missing";
  if (!picture.naturalWidth) item.dataset.says = words.not_shown;
}
const SMALL_PICTURES = ".thumbs img, .contact img";
for (const kind of ["load", "error"]) document.addEventListener(kind, ({ target }) => { if (target.matches?.(SMALL_PICTURES)) came(target); }, true);
for (const picture of document.querySelectorAll(SMALL_PICTURES)) if (picture.complete) came(picture);

// --- parts that follow events --------------------------------------------------------------------------------

// A list that goes on below says so; touching the sign shows more of it.
function tellMore() {
  for (const list of document.querySelectorAll("[data-more]")) {
    list.classList.toggle("cut", list.scrollHeight - list.clientHeight - list.scrollTop > 8);
  }
}
addEventListener("scroll", tellMore, true);
addEventListener("resize", tellMore);
addEventListener("load", tellMore);
document.fonts.ready.then(tellMore);
addEventListener("click", ({ target, clientY }) => {
  if (target.matches(".cut[data-more]") && clientY > target.getBoundingClientRect().bottom - 32) target.scrollBy(0, target.clientHeight - 96);
});

// What touching the patient's name is for is said where that needs no further line: every screen keeps its height.
function sayWrong() {
  const said = document.querySelector("#banner .wrong");
  if (!said) return;
  const title = said.closest(".bar");
  said.hidden = true;
  const height = title.offsetHeight;
  said.hidden = false;
  said.hidden = title.offsetHeight > height;
}
addEventListener("resize", sayWrong);
document.fonts.ready.then(sayWrong);

let lastWord = performance.now();
let fetching = false;
let wanted = new Set();
const putOff = []; // topics of parts in which a key waits for its second touch

async function refresh() {
  if (!takeBack) for (const topic of putOff.splice(0)) wanted.add(topic);
  if (fetching || !wanted.size) return;
  fetching = true;
  const topics = wanted;
  wanted = new Set();
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    // What a person sent leads on by itself: the page that it leaves may lead elsewhere already, or be gone.
    const sending = document.querySelector("form [type=submit]:disabled, [data-sending]");
    if (answer.redirected && !sending) { location.assign(answer.url); return; }
    // Erased: its patient may not stay on the screen. Who came to an exam that never was is told so.
    if (answer.status === 404 && document.getElementById("banner") && !sending) { location.assign("/"); return; }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of answer.redirected ? [] : document.querySelectorAll("[data-refresh]")) {
      const now = fresh.getElementById(part.id);
      const mine = part.dataset.refresh.split(" ").some((topic) => topics.has(topic));
      if (!mine || !now || now.outerHTML === part.outerHTML) continue;
      if (part.querySelector("[data-second]")) { putOff.push(...topics); continue; }
      const rows = part.querySelector(".rows, .contact");
      const place = rows ? rows.scrollTop : 0;
      part.replaceWith(now);
      const again = now.querySelector(".rows, .contact");
      if (again) again.scrollTop = place;
    }
  } catch { /* the box is away: the watch below says so */ }
  fetching = false;
  tellMore();
  sayWrong();
  goOn();
  if (wanted.size) setTimeout(refresh, 500);
}

function goOn() { // what was waited for is there: the page says where
  const there = document.querySelector("[data-go]");
  if (there) location.assign(there.dataset.go);
}
goOn();

// In practice somebody who walked away must not leave a screen that looks like the box.
const PRACTICE_S = 900;
const practiceOf = document.documentElement.dataset.practice;
if (practiceOf) {
  setInterval(async () => {
    if (performance.now() - touched < PRACTICE_S * 1000) return;
    try { await call("/api/v1/practice/end", {}); } catch { /* it is over already */ }
    location.assign(practiceOf);
  }, 1000);
}

// What no event tells (the disk, the clock, a copy) is looked at every so many seconds.
let seconds = 0;
setInterval(() => {
  seconds += 1;
  const due = [...document.querySelectorAll("[data-poll]")].some((one) => seconds % Number(one.dataset.poll) === 0);
  if (due) { wanted.add("poll"); refresh(); }
}, 1000);

const typing = Boolean(document.querySelector("form.typing")); // what somebody is typing is never replaced
let events;
let broken = false;

function again() { wanted.add("exam"); refresh(); } // perhaps nobody is signed in any more: the page says where to go

function listen() {
  events = new EventSource(`/api/v1/events?language=${language}`);
  for (const topic of ["exam", "capture", "delivery", "worklist", "source", "beat"]) {
    events.addEventListener(topic, (event) => {
      lastWord = performance.now();
      $("lost").hidden = true;
      dispatchEvent(new CustomEvent(`box-${topic}`, { detail: JSON.parse(event.data) }));
      if (topic === "source" || topic === "beat") return;
      if (!typing) { wanted.add(topic); setTimeout(refresh, 50); }
    });
  }
  events.onopen = () => { if (broken) again(); broken = false; };
  events.onerror = () => {
    broken = true;
    if (events.readyState !== EventSource.CLOSED) return;
    again();
    setTimeout(listen, 1000);
  };
}

// --- another page ------------------------------------------------------------------------------------------------

// While the box starts anew (a changed setting) a page that is asked for would be the browser's own: white, in English,
// with nothing that leads back. So this page stays, says so, and goes on once the box is there.
let leaving = false;

async function leave(go) {
  if (leaving) return;
  leaving = true;
  while (broken && !(await boxAnswers())) {
    $("lost").hidden = false;
    await new Promise((passed) => { setTimeout(passed, 500); });
  }
  broken = false;
  leaving = false;
  go();
}

async function boxAnswers() {
  try { return (await fetch("/static/icon.svg", { cache: "no-store" })).ok; } catch { return false; }
}

function later(event, go) {
  if (!broken || event.defaultPrevented) return;
  event.preventDefault();
  leave(go);
}
addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (link && !link.target && !link.hasAttribute("download")) later(event, () => location.assign(link.href));
});
addEventListener("submit", (event) => later(event, () => event.target.requestSubmit(event.submitter)));

const TOUCH_MS = 60000; // so often the box is told that somebody is there
let told = performance.now();
if ("inUse" in document.documentElement.dataset) {
  for (const kind of ["pointerdown", "keydown"]) {
    addEventListener(kind, () => {
      if (performance.now() - told < TOUCH_MS) return;
      told = performance.now();
      call("/api/v1/session/touch", {}).catch(again);
    }, true);
  }
}

setInterval(() => {
  if (events && performance.now() - lastWord > LOST_MS) $("lost").hidden = false;
  const now = new Date();
  const time = `${String(now.getHours()).padStart(2, "0")}:${String(now.getMinutes()).padStart(2, "0")}`;
  for (const clock of document.querySelectorAll("[data-clock]")) clock.textContent = time;
}, 1000);
addEventListener("pagehide", () => events?.close());
if (may.has("watch")) listen();
