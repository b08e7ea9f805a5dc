// The first start: what is typed is kept, pedals are learned, other systems are asked, the box takes it over.
"use strict";

const setupWords = JSON.parse($("setup-words").textContent);
const ANSWER = "/api/v1/first-start/answer";
const WAIT_MS = 500;
const LONGEST_MS = 60000; // a box that takes longer is shown as it is, once it answers

const SETTLE_MS = 800; // the question changed under the finger: a second touch was meant for the one before

function pause(ms) { return new Promise((resolve) => { setTimeout(resolve, ms); }); }
function failed(error) { showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action }); }

async function ask(address) {
  const answer = await fetch(address, { headers: { "accept-language": language } });
  if (!answer.ok) throw new Error(answer.status);
  return answer.json();
}

if (!document.querySelector("form.typing, #entry")) rest(SETTLE_MS); // keys that type lie still

// --- the language of this screen follows the choice ---------------------------------------------------------------

addEventListener("click", ({ target }) => {
  const key = target.closest("[data-setup-language]");
  if (key) document.cookie = `language=${key.dataset.setupLanguage}; path=/; max-age=31536000; SameSite=Strict`;
}, true);

// --- the end: the processes start anew with what was chosen ---------------------------------------------------------

// One thing is said: either that it takes some seconds, or for what it waits.
function tellWaiting(waits) {
  if (!setupWords[waits]) return;
  $("setup-waits-what").textContent = setupWords[waits];
  $("setup-waits-long").textContent = setupWords.as_before;
}

async function taken() {
  const until = performance.now() + LONGEST_MS;
  for (;;) {
    try {
      const { waits } = await ask("/api/v1/first-start");
      if (waits === "" || performance.now() > until) break;
      tellWaiting(waits);
    } catch { /* it starts anew */ }
    await pause(WAIT_MS);
  }
  location.assign("/");
}

addEventListener("click", async ({ target }) => {
  const key = target.closest("[data-setup-end]");
  if (!key || key.disabled) return;
  key.disabled = true;
  try {
    await call(key.dataset.setupEnd, {});
    $("setup-waits").hidden = false;
    taken();
  } catch (error) { failed(error); key.disabled = false; }
});

// --- one typed field --------------------------------------------------------------------------------------------------

$("setup-field")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const input = form.querySelector("input");
  const value = "number" in form.dataset ? Number(input.value) : input.value.trim();
  const key = form.querySelector("[type=submit]");
  key.disabled = true;
  try {
    await call(form.dataset.to, { step: form.dataset.step, values: { [input.name]: value } });
    location.assign(form.dataset.next);
  } catch (error) { failed(error); key.disabled = false; input.focus(); }
});

// --- the pedal (pedal.js listens) ----------------------------------------------------------------------------------------

addEventListener("pedal", async ({ target, detail }) => {
  try {
    await call(ANSWER, { step: target.dataset.step, values: detail.pressed });
    location.assign(target.dataset.next);
  } catch (error) { failed(error); detail.again(); }
});

// --- another system is asked: each line as it is found out ---------------------------------------------------------------

function line({ ok, what, action, code }) {
  const item = document.createElement("li");
  const kind = ok === true ? "ok" : ok === false ? "bad" : "warn";
  item.className = kind === "ok" ? "strip fine" : `strip ${kind}`;
  const mark = document.createElement("span");
  mark.className = `mark ${kind}`;
  mark.ariaHidden = "true";
  const text = document.createElement("span");
  const what_ = document.createElement("b");
  what_.textContent = what;
  const code_ = document.createElement("code");
  code_.textContent = code;
  text.append(what_, ` ${action} `, code_);
  item.append(mark, text);
  return item;
}

const accept = $("setup-accept"); // not there where a system is kept already

// The bright key is what helps: to keep what answered, to change what did not.
function tried(over, ok = false) {
  $("setup-retry").disabled = !over;
  if (!accept) return;
  accept.disabled = !over;
  accept.textContent = over && !ok ? setupWords.keep_anyway : setupWords.keep;
  accept.classList.toggle("next", over && ok);
  $("setup-change").classList.toggle("next", over && !ok);
}

async function tryIt() {
  tried(false);
  $("setup-asking").textContent = setupWords.asking;
  $("setup-lines").replaceChildren();
  try {
    let trial = await call("/api/v1/trials", JSON.parse($("setup-trial").textContent));
    while (!trial.done) {
      await pause(WAIT_MS);
      trial = await ask(`/api/v1/trials/${trial.id}`);
      $("setup-lines").replaceChildren(...trial.lines.map(line));
    }
    $("setup-asking").textContent = "";
    tried(true, trial.ok);
  } catch (error) {
    failed(error);
    $("setup-asking").textContent = "";
    tried(true);
  }
}
if ($("setup-trial")) {
  tryIt();
  $("setup-retry").addEventListener("click", tryIt);
}
