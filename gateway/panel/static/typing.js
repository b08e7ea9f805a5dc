// A patient is typed: one question at a time, what cannot be said at once. The box checks all of it again.
"use strict";

const form = document.querySelector("form.typing");
const say = JSON.parse($("typing-words").textContent);
const steps = [...form.querySelectorAll(".step")];
const date = ["day", "month", "year"].map((name) => form.elements[name]);
const [day, month, year] = date;
let step = Number(form.dataset.step);

function fieldsOf(number) { return [...steps[number].querySelectorAll("input")]; }

function shown() {
  const whole = day.value && month.value && year.value.length === 4;
  return whole ? filled(say.days[Number(month.value) - 1], { day: day.value.padStart(2, "0"), year: year.value }) : "";
}

// What is wrong with the date as far as it was typed; `whole`: the person says that it is all.
function wrongDate(whole) {
  const [d, m, y] = date.map((input) => Number(input.value));
  if (!date.some((input) => input.value)) return "";
  if (d > 31 || m > 12 || date.some((input) => input.value.length === input.maxLength && !Number(input.value))) return say.calendar;
  if (!d || !m || year.value.length < 4) return !whole ? "" : d && m && y ? say.year : say.incomplete;
  const there = new Date(Date.UTC(2000, m - 1, d));
  there.setUTCFullYear(y, m - 1, d);
  if (there.getUTCDate() !== d || there.getUTCMonth() !== m - 1 || y < Number(form.dataset.first)) return say.calendar;
  return y * 10000 + m * 100 + d > Number(form.dataset.today) ? say.future : "";
}

function wrong(whole) {
  const names = fieldsOf(step).map((input) => input.name);
  if (names.includes("family") && whole && !form.elements.family.value.trim()) return say.family;
  if (names.includes("day")) return wrongDate(whole);
  return "";
}

function tell(whole = false) {
  const what = wrong(whole);
  $("wrong").hidden = !what;
  $("wrong-what").textContent = what;
  $("read").textContent = !what && steps[step].contains(day) ? shown() : "";
  return what;
}

const SAME_MS = 400; // two touches of one movement on "Continue" are one
let resting = 0;
function restNext() {
  $("next").dataset.rest = "";
  clearTimeout(resting);
  resting = setTimeout(() => { delete $("next").dataset.rest; }, SAME_MS);
}

function go(number) {
  step = number;
  steps.forEach((each, at) => { each.hidden = at !== step; });
  $("progress").textContent = filled(say.progress, { step: step + 1, steps: steps.length });
  $("label").textContent = steps[step].dataset.label;
  const typed = [form.elements.family.value.trim().toLocaleUpperCase(), form.elements.given.value.trim()];
  $("so-far").textContent = step > 1 ? typed.filter(Boolean).join(", ") : "";
  const first = fieldsOf(step).find((input) => input.dataset.keys) || form.querySelector(".step:not([hidden]) input:checked");
  if (document.body.classList.toggle("choices", !first.dataset.keys)) rest(); // answers lie where keys were
  $("next").hidden = !first.dataset.keys; // a touch of an answer goes on by itself
  first.focus();
  if (first.setSelectionRange && first.dataset.keys) first.setSelectionRange(first.value.length, first.value.length);
  tell();
}

function next() {
  if (tell(true)) return;
  restNext();
  if (step + 1 < steps.length) go(step + 1);
  else form.submit();
}

function back() {
  if (step > 0) go(step - 1);
  else location.assign(form.dataset.back);
}

$("next").addEventListener("click", (event) => { if (event.detail === 0 || !("rest" in $("next").dataset)) next(); });
$("back").addEventListener("click", back);
form.addEventListener("submit", (event) => { event.preventDefault(); });
form.addEventListener("keydown", (event) => {
  if (event.isComposing || !["Enter", "Escape"].includes(event.key) || event.target.closest("button")) return;
  event.preventDefault();
  if (event.key === "Enter") next();
  else back();
});
// A wristband's number belongs into one field; anywhere else it would become a name.
addEventListener("scan", (event) => {
  const { field: into, before } = event.detail;
  if (!into || into.name === "id") return;
  event.preventDefault();
  into.value = before;
  tell();
  $("wrong").hidden = false;
  $("wrong-what").textContent = say.scan;
});

// A touch answers and goes on; the arrows of a real keyboard only answer.
for (const choice of form.elements.sex) choice.addEventListener("click", (event) => { if (event.detail > 0) { next(); rest(); } });

// --- the date: digits alone, and on to the next part when one is full --------------------------------------------

const MOST_FIRST = { day: 3, month: 1, year: 9999 }; // a larger digit has no second one
const parts = fieldsOf(2); // in the order in which they are asked

for (const [at, part] of parts.entries()) {
  const follows = parts[at + 1];
  let empty = !part.value;
  part.addEventListener("input", (event) => {
    const erased = event.inputType === "deleteContentBackward";
    const separated = /\D$/.test(part.value);
    part.value = part.value.replace(/\D/g, "");
    const full = separated || part.value.length === part.maxLength || Number(part.value) > MOST_FIRST[part.name];
    if (follows && part.value && full && !erased) { follows.focus(); follows.select(); }
    if (erased && empty && at) parts[at - 1].focus();
    empty = !part.value;
    tell();
  });
  part.addEventListener("click", () => part.select()); // who touches it wants to write it anew
  part.addEventListener("keydown", (event) => { if (event.key === "Backspace" && !part.value && at) parts[at - 1].focus(); });
}
form.addEventListener("input", (event) => { if (!parts.includes(event.target)) tell(); });
go(step);
