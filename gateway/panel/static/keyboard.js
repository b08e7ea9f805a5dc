// The keyboard inside the page. The field stays the truth: a key of a real keyboard and one of this do the same to it.
"use strict";

const board = $("keyboard");
const usual = LAYOUTS[board.dataset.layout] || LAYOUTS.qwerty;
const BOTTOM = { letters: "{numbers} {accents} {space} {delete}", numbers: "{letters} {accents} {space} {delete}" };
const AFTER = { letters: "accents", numbers: "accents", accents: "letters2", letters2: "letters" }; // the key ÄÉ leads there

let side = "letters"; // which keys are shown
let large = false; // whether they write capitals
let held = ""; // "once": the other size for one letter; "locked": until it is touched again
let field = null; // what they write into

function capital(letter) { return letter === "ß" ? "ẞ" : letter.toLocaleUpperCase(); }

function rows(letters, bottom) {
  const all = bottom ? [...letters, bottom] : letters;
  return { small: all, large: all.map((row) => row.split(" ").map((key) => (key[1] ? key : capital(key))).join(" ")) };
}

const sides = {
  letters: rows(usual, BOTTOM.letters),
  numbers: rows(MORE.numbers, BOTTOM.numbers),
  accents: rows(MORE.accents, BOTTOM.numbers),
  letters2: rows(MORE.letters2, BOTTOM.numbers),
  pad: rows(MORE.pad, ""),
};

const keys = new SimpleKeyboard.default(board.querySelector(".keys"), {
  layout: Object.fromEntries(
    Object.entries(sides).flatMap(([name, { small, large: capitals }]) => [[name, small], [`${name}-large`, capitals]]),
  ),
  layoutName: "letters",
  display: {
    "{shift}": "ABC", "{numbers}": "123", "{letters}": "ABC", "{accents}": "ÄÉŠ",
    "{space}": board.dataset.space, "{delete}": board.dataset.delete,
  },
  mergeDisplay: true,
  buttonAttributes: [
    { attribute: "aria-label", value: board.dataset.shift, buttons: "{shift}" },
    { attribute: "lang", value: "zxx", buttons: "{shift} {letters} {accents}" }, // letters are no words
  ],
  theme: "board",
  useButtonTag: true,
  useMouseEvents: true, // a key acts when it is let go, as every key of this screen
  disableButtonHold: true,
  disableCaretPositioning: true, // the field knows where its caret is
  preventMouseDownDefault: true, // the focus stays in the field
  onKeyPress: press,
});

function render() {
  keys.setOptions({
    layoutName: large && side !== "numbers" && side !== "pad" ? `${side}-large` : side,
    display: { ...keys.options.display, "{shift}": (held ? large : !large) ? "ABC" : "abc" }, // while it holds: what it writes
  });
  board.dataset.side = side;
  board.dataset.held = held;
  for (const key of board.querySelectorAll(".hg-button-shift")) {
    key.ariaPressed = { "": "false", once: "mixed", locked: "true" }[held];
    key.dataset.holds = { "": "", once: "1×", locked: board.dataset.locked }[held]; // stands on the key
  }
}

// A name begins with a capital, and so does each of its parts; other words begin with one.
function wantsCapital() {
  const wanted = field?.dataset.keys;
  if (wanted === "id" || wanted === "code") return true;
  if (wanted !== "name" && wanted !== "text") return false;
  const before = field.value.slice(0, field.selectionStart ?? field.value.length);
  return before === "" || (wanted === "name" && /[\s'’-]$/.test(before));
}

// One touch: the other size for one letter. Two: until a third one. What a field wants is the rule again then.
function shift() {
  held = { "": "once", once: "locked", locked: "" }[held];
  large = held === "once" ? !large : held ? large : wantsCapital();
}

function settle() { // after a letter, or on another side of the keyboard
  if (held === "locked") return;
  held = "";
  large = wantsCapital();
}

function write(text) {
  const [from, to] = [field.selectionStart, field.selectionEnd];
  const free = field.maxLength < 0 ? text.length : field.maxLength - field.value.length + (to - from);
  if (free >= text.length) field.setRangeText(text, from, to, "end");
}

function erase() {
  const [from, to] = [field.selectionStart, field.selectionEnd];
  if (from === to && from === 0) return;
  const letters = [...field.value.slice(0, from)];
  const start = from === to ? letters.slice(0, -1).join("").length : from;
  field.setRangeText("", start, to, "end");
}

function press(key) {
  if (!field) return;
  field.focus();
  if (key === "{shift}") shift();
  else if (key === "{numbers}" || key === "{letters}") { side = key.slice(1, -1); settle(); }
  else if (key === "{accents}") side = AFTER[side];
  else {
    if (key === "{delete}") erase();
    else write(key === "{space}" ? " " : key);
    field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: key === "{delete}" ? "deleteContentBackward" : "insertText", data: key }));
    if (side === "accents" || side === "letters2") side = "letters";
  }
  render();
}

// Write into this field from now on: `data-keys` says what for ("name", "text", "id", "code", "date", "search").
function writeInto(input) {
  if (field === input) return;
  const before = field?.dataset.keys;
  field = input;
  if ("whole" in input.dataset) input.select(); // what is there is a suggestion: the first letter replaces it
  else if (!input.selectionEnd) input.setSelectionRange(input.value.length, input.value.length); // what is there is corrected
  if (before !== input.dataset.keys) side = { id: "numbers", date: "pad" }[input.dataset.keys] || "letters";
  held = "";
  large = wantsCapital();
  render();
}

addEventListener("input", (event) => { if (event.target === field) { settle(); render(); } });
addEventListener("focusin", (event) => { if (event.target.dataset?.keys) writeInto(event.target); });
// Between two touches the focus stays where one writes: a real keyboard and a scanner never write into nothing.
addEventListener("focusout", (event) => {
  if (event.target === field && !event.relatedTarget) setTimeout(() => { if (document.activeElement === document.body && board.offsetParent) field.focus(); });
});
render();
if (document.activeElement.dataset.keys) writeInto(document.activeElement);
