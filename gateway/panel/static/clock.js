// Setting the clock: a step up or down for each part. A day that its month does not have becomes the last one.
"use strict";

const parts = new Map([...document.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part.querySelector("output")]));
const value = (part) => Number(parts.get(part).textContent);
const lowest = { year: 2026, month: 1, day: 1, hour: 0, minute: 0 };
const two = (number) => String(number).padStart(2, "0");

function highest(part) {
  if (part === "day") return new Date(value("year"), value("month"), 0).getDate();
  return { year: 2099, month: 12, hour: 23, minute: 59 }[part];
}

function tell() {
  if (value("day") > highest("day")) parts.get("day").textContent = highest("day");
  const local = `${value("year")}-${two(value("month"))}-${two(value("day"))}T${two(value("hour"))}:${two(value("minute"))}`;
  const key = $("set-clock");
  if (key) key.dataset.body = JSON.stringify({ local });
}

$("setting-clock").addEventListener("click", ({ target }) => {
  const key = target.closest("[data-step]");
  if (!key) return;
  const { part } = key.closest("[data-part]").dataset;
  const next = value(part) + Number(key.dataset.step);
  const [low, high] = [lowest[part], highest(part)];
  parts.get(part).textContent = next > high ? low : next < low ? high : next;
  tell();
});
tell();
