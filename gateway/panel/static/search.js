// Search: what is found follows the letters; the keyboard goes when the list is wanted, and comes with the field.
"use strict";

const form = document.querySelector("form.typing");
const text = $("text");
const say = JSON.parse($("search-words").textContent);
const PAUSE_MS = 150; // between letters
let waiting = 0;
let latest = 0;

async function look() {
  const mine = ++latest;
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams({ text: text.value }) });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (mine !== latest || !answer.ok) return; // another letter came meanwhile
  const rows = fresh.querySelector("#found .rows");
  $("found").querySelector(".rows").replaceWith(rows);
  $("count").textContent = text.value.trim() ? filled(say.count, { count: rows.querySelectorAll(".row").length }) : "";
}

function lookSafely() { return look().catch(() => showProblem({ what: words.unreachable, action: words.unreachable_action })); }

function show(list) {
  document.body.classList.toggle("results", list);
  if (list) text.blur();
}

async function askServers(key) {
  key.disabled = true;
  $("problem").hidden = true;
  $("said").hidden = false;
  $("said").textContent = say.asking;
  try {
    const answer = await call("/api/v1/worklist/search", { text: text.value, server: true });
    const count = answer.items.length;
    $("said").textContent = answer.search.what || (count ? filled(say.done, { count }) : say.nobody);
    await look();
  } catch (error) {
    $("said").hidden = true;
    showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action });
  }
  key.disabled = false;
}

text.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(lookSafely, PAUSE_MS); });
text.addEventListener("focus", () => show(false));
form.addEventListener("submit", (event) => event.preventDefault());
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  event.preventDefault();
  $("show").click();
});
$("show").addEventListener("click", () => { clearTimeout(waiting); show(true); lookSafely(); });
$("servers")?.addEventListener("click", (event) => askServers(event.currentTarget));
text.setSelectionRange(text.value.length, text.value.length);
if (text.value) show(true);
