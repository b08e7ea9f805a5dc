// Pages on people: keys that type a PIN, forms that call the API, a recovery code that is shown once.
"use strict";

const say = JSON.parse($("people-words")?.textContent || "{}");
let field = null; // what the keys type into

function firstField(form) { return form.querySelector("[autofocus]") || form.querySelector("input:not([type=hidden], [type=radio])"); }

addEventListener("focusin", ({ target }) => { if (target.matches("input:not([type=radio]), textarea")) field = target; });
addEventListener("pointerdown", (event) => { if (event.target.closest(".pad")) event.preventDefault(); }); // the field keeps the focus
addEventListener("click", ({ target }) => {
  const key = target.closest(".pad .key");
  if (!key) return;
  field = field?.form === key.closest("form") ? field : firstField(key.closest("form"));
  if ("erase" in key.dataset) field.value = field.value.trimEnd().slice(0, -1);
  else if (field.value.length < field.maxLength) field.value += key.dataset.digit;
  group(field);
  field.focus();
});

// A code stands in groups, as it was shown; only at its end, so that a correction in the middle moves nothing.
function group(input) {
  if (!("groups" in input.dataset) || input.selectionEnd < input.value.length) return;
  const digits = input.value.toUpperCase().replace(/[^0-9A-F]/g, "");
  input.value = (digits.match(/.{1,4}/g) || []).join(" ");
}
addEventListener("input", ({ target }) => group(target));

function bodyOf(form) {
  const body = Object.fromEntries(new FormData(form));
  delete body.again;
  if (form.dataset.to.endsWith("/pin")) delete body.role; // it is set by its own key
  return body;
}

function nextOf({ dataset }, value) {
  if (!("others" in dataset)) return dataset.next;
  const { left, others, named } = value; // of a patient that was erased: what is still on the box
  if (left.length) return dataset.left.replace("{exam}", left[0]);
  if (!others.length && !named.length) return dataset.next;
  return `${dataset.others}?${new URLSearchParams({ others: others.join(" "), named: named.join(" ") })}`;
}

function showCode({ recovery_code: code, qr }) {
  $("entry").hidden = true;
  const half = code.length >> 1;
  const lines = [code.slice(0, half), code.slice(half + 1)].map((text) => {
    const line = document.createElement("bdi");
    line.textContent = text;
    return line;
  });
  $("code-text").replaceChildren(lines[0], document.createElement("br"), lines[1]);
  const drawing = new DOMParser().parseFromString(qr, "text/html").querySelector("svg");
  $("code-qr").replaceChildren(document.importNode(drawing, true));
  written(false);
}

function written(done) {
  $("code-shown").hidden = done;
  $("code").hidden = !done;
  if (done) firstField($("code")).focus();
}
$("code-written")?.addEventListener("click", () => written(true));
$("code-again")?.addEventListener("click", () => written(false));

// "Continue" after the first PIN leads to the second one; that it is still to come is no mistake.
addEventListener("click", (event) => {
  const { pin, again } = event.target.closest("[type=submit]")?.form?.elements || {};
  if (!again || !pin.value || again.value || field === again) return;
  event.preventDefault();
  again.focus();
});

addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const [pin, again] = [form.elements.pin, form.elements.again];
  if (again && pin.value !== again.value) {
    pin.value = again.value = "";
    pin.focus();
    showProblem({ what: say.different });
    return;
  }
  const key = form.querySelector("[type=submit]");
  const reads = key.textContent;
  key.disabled = true;
  key.textContent = say.wait || reads;
  $("problem").hidden = true;
  try {
    const value = await call(form.dataset.to, bodyOf(form));
    if (!("code" in form.dataset)) return location.assign(nextOf(form, value)); // until the page is there it is on its way
    showCode(value);
  } catch (error) {
    showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action });
    for (const secret of form.querySelectorAll("[type=password], [name=last]")) secret.value = "";
    firstField(form)?.focus();
  }
  key.disabled = false;
  key.textContent = reads;
});

addEventListener("change", async ({ target }) => {
  if (!target.dataset.now) return;
  try { await call(target.dataset.now, { role: target.value }); } catch (error) {
    showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action });
    target.form.reset(); // as it was, and still is
  }
});
