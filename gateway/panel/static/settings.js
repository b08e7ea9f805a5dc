// Settings: one question at a time, the box says what is wrong, and nothing is changed before a person saw what.
"use strict";

const say = JSON.parse($("settings-words").textContent);
const form = $("settings-form");
const steps = form ? [...form.querySelectorAll(".step")] : [];
let step = 0;
let pending = null; // the changes that a person is asked about
let revision = "";
let next = "";
const api = form?.dataset.api || "/api/v1/settings"; // the box's own network and time have another one

// --- asking whether it is meant ------------------------------------------------------------------------------

function line({ about, name: which, label, old, new: now }) {
  const item = document.createElement("li");
  const part = (kind, text, name = "") => Object.assign(document.createElement(kind), { textContent: text, className: name });
  if (about) item.append(part("span", `${about} `, "soft"), part("bdi", which, "soft"), " ");
  item.append(part("b", label), ": ", part("bdi", old, "old"), " → ", part("bdi", now, "new"));
  return item;
}

function failed(error) { showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action }); }

// Ask the box what would change, and show it. Returns what is wrong with it. `file`: settings that come in.
async function ask({ changes, file }) {
  const [trying, making] = file ? ["import/check", "import"] : ["check", "change"];
  const { problems, differences, starts_anew: applying } = await call(`${api}/${trying}`, file ? { file } : { changes, revision });
  if (problems.length) return problems;
  if (!differences.length) return [{ place: [], key: "", reason: say.nothing }];
  pending = { to: `${api}/${making}`, body: { ...(file ? { file } : { changes }), revision } };
  $("sure").querySelector(".changes").replaceChildren(...differences.map((each) => line(each.words)));
  $("applying").lastElementChild.textContent = applying.what;
  $("sure").hidden = false;
  $("make").focus();
  return [];
}

$("not-sure").addEventListener("click", () => { $("sure").hidden = true; pending = null; });
$("make").addEventListener("click", async () => {
  $("make").disabled = true;
  try {
    await call(pending.to, pending.body);
    location.assign(next);
  } catch (error) {
    $("sure").hidden = true;
    $("make").disabled = false;
    failed(error);
  }
});

// --- an entry that goes ----------------------------------------------------------------------------------------

$("remove")?.addEventListener("click", async ({ currentTarget: key }) => {
  ({ revision, next } = key.dataset);
  try {
    showFirst(await ask({ changes: [{ place: JSON.parse(key.dataset.place), remove: true }] }));
  } catch (error) { failed(error); }
});

// --- what is rarely needed lies at the end: opened, it is where it can be seen ------------------------------------

document.querySelector(".rare")?.addEventListener("toggle", ({ target }) => target.scrollIntoView({ block: "end" }));

// --- a file that comes in --------------------------------------------------------------------------------------

function showFirst([first]) {
  if (first) showProblem(first.key ? { what: say.elsewhere, action: `${first.label}: ${first.reason}` } : { what: first.reason });
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] || "");
    reader.onerror = reject;
    reader.readAsDataURL(file);
  });
}

$("import")?.addEventListener("change", async ({ target: input }) => {
  if (!input.files.length) return;
  ({ revision, next } = input.dataset);
  $("problem").hidden = true;
  try { showFirst(await ask({ file: await base64(input.files[0]) })); } catch (error) { failed(error); }
  input.value = "";
});

// --- a stick ---------------------------------------------------------------------------------------------------

addEventListener("click", async (event) => {
  const key = event.target.closest("[data-stick]");
  if (!key) return;
  const { stick, destination } = key.dataset;
  key.disabled = true;
  $("problem").hidden = true;
  $("written").hidden = true;
  try {
    const answer = await call(`/api/v1/settings/stick/${stick}`, destination ? { destination } : {});
    if (stick === "export") $("written").hidden = false;
    else {
      ({ revision, next } = key.dataset);
      showFirst(await ask({ file: answer.content }));
    }
  } catch (error) { failed(error); }
  key.disabled = false;
});

// --- a pedal that was learned (pedal.js listens) -----------------------------------------------------------------

function learned({ still, clip }) {
  const source = document.querySelector("[name=source]:checked, [name=source][type=hidden]").value;
  const trigger = (heard, keys) => ({
    kind: heard.kind, device: heard.device, ...(heard.identity ? { identity: heard.identity } : {}), source, ...keys,
  });
  if (!clip) return [trigger(still, { still: still.word })];
  if (clip.kind === still.kind && clip.device === still.device) return [trigger(still, { still: still.word, clip: clip.word })];
  return [trigger(still, { still: still.word }), trigger(clip, { clip: clip.word })];
}

addEventListener("pedal", async ({ target, detail }) => {
  ({ revision } = $("learned").dataset);
  ({ next } = target.dataset);
  try {
    showFirst(await ask({ changes: learned(detail.pressed).map((values) => ({ add: "trigger", values })) }));
  } catch (error) { failed(error); }
});

// --- questions -------------------------------------------------------------------------------------------------

function inputs(number) { return [...steps[number].querySelectorAll("input")]; }

function chosen(number) { return inputs(number).filter((input) => input.checked).map((input) => input.value); }

// The value of a step as the file has it; undefined: it is left out, so that the default holds.
function valueOf(number) {
  const { kind } = steps[number].dataset;
  const [first] = inputs(number);
  const text = first.value.trim();
  if (["flag", "entity", "table"].includes(kind)) return chosen(number).length ? JSON.parse(chosen(number)[0]) : undefined;
  if (kind === "choice") return chosen(number)[0];
  if (kind === "several" && first.type === "checkbox") return chosen(number);
  if (text === "") return undefined;
  if (kind === "several") return text.split(";").map((each) => each.trim()).filter(Boolean);
  if (kind === "numbers") return text.split(/[^0-9]+/).filter(Boolean).map(Number);
  return kind === "number" ? Number(text) : text;
}

function wrong(number) {
  const { kind, needed, low, high } = steps[number].dataset;
  const value = valueOf(number);
  if (needed && value === undefined) return say.missing;
  if (kind === "number" && value !== undefined && !(Number.isInteger(value) && value >= Number(low) && value <= Number(high))) return filled(say.number, { low, high });
  return "";
}

function tell(what) {
  $("wrong").hidden = !what;
  $("wrong-what").textContent = what;
}

function turnTo(number) {
  step = number;
  steps.forEach((each, at) => { each.hidden = at !== step; });
  $("progress").textContent = steps.length > 1 ? filled(say.progress, { step: step + 1, steps: steps.length }) : "";
  $("label").textContent = steps[step].dataset.label;
  $("usual").textContent = steps[step].dataset.usual;
  const written = inputs(step).find((input) => input.dataset.keys);
  const first = written || inputs(step).find((input) => input.checked) || inputs(step)[0];
  document.body.classList.toggle("choices", !written);
  first.focus();
  if (written && written.type !== "password") written.setSelectionRange(written.value.length, written.value.length);
  tell("");
}

// A secret goes into a file of its own first; the change names the file.
async function kept(number, value) {
  if (steps[number].dataset.kind !== "secret" || value === undefined) return value;
  return (await call("/api/v1/settings/secrets", { secret: value })).file;
}

async function changes() {
  const places = steps.map((each) => JSON.parse(each.dataset.place));
  const values = [];
  for (let number = 0; number < steps.length; number += 1) values.push(await kept(number, valueOf(number)));
  const entry = Object.fromEntries(places.map((place, at) => [place.at(-1), values[at]]).filter(([, value]) => value !== undefined));
  if (form.dataset.whole) return [{ place: JSON.parse(form.dataset.whole), value: entry }]; // its keys are one value
  if (form.dataset.add) {
    return [{ add: form.dataset.add, values: form.dataset.kind ? { kind: form.dataset.kind, ...entry } : entry }];
  }
  return places.flatMap((place, at) => {
    if (steps[at].dataset.kind === "table") return []; // it stays: its keys follow
    if (steps[at].dataset.kind === "secret" && values[at] === undefined) return [];
    return [values[at] === undefined ? { place, remove: true } : { place, value: values[at] }];
  });
}

// What is wrong stands at its question; what is wrong elsewhere is said with its key.
function point(problems) {
  const [first] = problems;
  const own = steps.findIndex((each) => JSON.parse(each.dataset.place).at(-1) === first.place.at(-1));
  const at = form.dataset.whole && String(first.place) === String(JSON.parse(form.dataset.whole)) ? step : own;
  if (at >= 0 && at !== step) turnTo(at);
  if (!first.key) tell(first.reason);
  else tell(at >= 0 ? `${say.refused} ${first.reason}` : `${say.elsewhere} ${first.label}: ${first.reason}`);
}

// A table in a table that is not to stay: nothing else is asked then.
function goes() { return steps[step].dataset.kind === "table" && valueOf(step) === false; }

async function forward() {
  const what = wrong(step);
  tell(what);
  if (what) return;
  if (!goes() && step + 1 < steps.length) { turnTo(step + 1); return; }
  $("next").disabled = true;
  $("problem").hidden = true;
  try {
    const problems = await ask({ changes: goes() ? [{ place: JSON.parse(steps[step].dataset.place), remove: true }] : await changes() });
    if (problems.length) point(problems);
  } catch (error) { failed(error); }
  $("next").disabled = false;
}

function backward() {
  if (step > 0) turnTo(step - 1);
  else location.assign(form.dataset.back);
}

if (form) {
  ({ revision } = form.dataset);
  next = form.dataset.back;
  $("next").addEventListener("click", forward);
  $("back").addEventListener("click", backward);
  form.addEventListener("submit", (event) => { event.preventDefault(); });
  form.addEventListener("input", () => tell(""));
  form.addEventListener("keydown", (event) => {
    if (event.isComposing || !["Enter", "Escape"].includes(event.key) || event.target.closest("button")) return;
    event.preventDefault();
    if (event.key === "Enter") forward();
    else backward();
  });
  turnTo(0);
}
