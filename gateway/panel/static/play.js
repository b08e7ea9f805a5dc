// A clip as it was recorded: as the film that it became, or picture by picture at their real times. What is not here
// in time is waited for, and said: no picture is slower than it was without a word.
"use strict";

const clip = JSON.parse($("data").textContent);
const say = JSON.parse($("play-words").textContent);
const times = clip.times;
const last = times.length - 1;
const AHEAD = 90; // pictures that are fetched before they are due
const AT_ONCE = 3; // of a browser's six connections
const ENOUGH = 15; // pictures, before it begins or goes on
const canvas = $("frames");
const film = $("film");
const wide = Math.min(canvas.width, Math.round(innerWidth * devicePixelRatio));

let at = 0; // the picture that is shown
let playing = false;
let began = 0; // performance.now() of the first picture, had it played without a stop
let dry = false; // the next picture is not here
const here = new Map(); // number: JPEG
const coming = new Set();

function minutes(seconds) { return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`; }

function tell() {
  const values = { time: minutes(times[at] / 1000), length: minutes(times[last] / 1000), number: at + 1, count: last + 1 };
  $("where").textContent = filled(say.where, values);
  $("play").textContent = playing ? say.pause : say.play;
  $("loading").hidden = !(dry && playing);
}

// --- picture by picture --------------------------------------------------------------------------------------------

function fetchAhead() {
  for (const number of here.keys()) if (number < at - 1 || number > at + AHEAD) here.delete(number);
  for (let number = at; number <= Math.min(at + AHEAD, last) && coming.size < AT_ONCE; number++) {
    if (!here.has(number) && !coming.has(number)) bring(number);
  }
}

async function bring(number) {
  coming.add(number);
  try {
    const answer = await fetch(`/api/v1/captures/${clip.uid}/frames/${number + 1}?width=${wide}`, { headers: { "accept-language": language } });
    if (!answer.ok) { playing = false; showProblem(await answer.json()); tell(); return; }
    here.set(number, await answer.blob());
    if (number === at && !playing) draw(number);
  } catch {
    await new Promise((on) => setTimeout(on, 1000)); // the box is away: the page says so by itself
  } finally {
    coming.delete(number);
  }
  fetchAhead();
}

async function draw(number) {
  const picture = await createImageBitmap(here.get(number));
  if (number !== at) return picture.close(); // it is later already
  if (canvas.width !== picture.width) { canvas.width = picture.width; canvas.height = picture.height; }
  canvas.getContext("2d").drawImage(picture, 0, 0);
  canvas.dataset.drawn = String(number + 1);
  picture.close();
}

function enough() {
  for (let number = at + 1; number <= Math.min(at + ENOUGH, last); number++) if (!here.has(number)) return false;
  return here.has(at);
}

function tick() {
  if (!playing) return;
  if (dry && enough()) { dry = false; began = performance.now() - times[at]; draw(at); }
  if (!dry) {
    const now = performance.now() - began;
    let due = at;
    while (due < last && times[due + 1] <= now) due++;
    if (due !== at && !here.has(due)) dry = true;
    else if (due !== at) { at = due; draw(at); fetchAhead(); }
    if (at === last) playing = false;
  }
  tell();
  requestAnimationFrame(tick);
}

// --- both ------------------------------------------------------------------------------------------------------------

function isFilm() { return film && !film.hidden; }

function toggle() {
  if (isFilm()) return film.paused ? film.play() : film.pause();
  playing = !playing;
  if (playing && at === last) at = 0;
  dry = playing;
  fetchAhead();
  tell();
  if (playing) requestAnimationFrame(tick);
}

function step(by) {
  if (isFilm()) film.pause();
  playing = false;
  at = Math.max(0, Math.min(last, at + by));
  if (isFilm()) film.currentTime = (times[at] + 1) / 1000; // a moment inside of it
  else if (here.has(at)) draw(at);
  fetchAhead();
  tell();
}

if (film) {
  const follow = () => {
    if (!isFilm()) return;
    playing = !film.paused && !film.ended;
    const now = film.currentTime * 1000;
    at = 0;
    while (at < last && times[at + 1] <= now + 0.5) at++;
    tell();
    if (playing) requestAnimationFrame(follow);
  };
  for (const event of ["play", "pause", "seeked", "ended"]) film.addEventListener(event, follow);
  film.addEventListener("error", () => { // its pictures play all the same
    film.hidden = true;
    canvas.hidden = false;
    playing = false;
    toggle();
  });
  film.src = `/api/v1/captures/${clip.uid}/video`; // last: an error may come at once
}
$("play").addEventListener("click", toggle);
$("back").addEventListener("click", () => step(-1));
$("on").addEventListener("click", () => step(1));
tell();
if (isFilm()) film.play().catch(() => {}); else toggle();
