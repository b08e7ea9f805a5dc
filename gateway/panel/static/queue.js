// Presses on their way to the box. None is lost, none is stored twice, their order is kept.
"use strict";

const AT_ONCE = 4; // a frame is pinned when its press arrives: waiting for the last answer could be too late
const WORRY_MS = 5000; // at the latest then something is said
const GIVE_UP_MS = 20000;
const AGAIN_MS = 400;

class PressQueue {
  // `answered(press, stored, problem)` is called once for each press; `changed()` whenever its numbers do.
  constructor(answered, changed) {
    this.answered = answered;
    this.changed = changed;
    this.waiting = []; // in the order of the touches, those in flight first
    this.unsure = false; // an answer was lost: one at a time until all are clear
    this.timer = null;
  }

  get length() { return this.waiting.length; }

  get worrying() { return this.waiting.filter((press) => performance.now() - press.at > WORRY_MS).length; }

  add(address, body) {
    this.waiting.push({ address, body: { ...body, request_id: crypto.randomUUID() }, at: performance.now(), flying: false });
    this.pump();
    this.changed();
  }

  pump() {
    const most = this.unsure ? 1 : AT_ONCE;
    for (const press of this.waiting.slice(0, most)) {
      if (this.waiting.filter((other) => other.flying).length >= most) return;
      if (!press.flying) this.fly(press);
    }
  }

  async fly(press) {
    press.flying = true;
    try {
      const stored = await call(press.address, press.body);
      this.end(press, stored, null);
    } catch (error) {
      press.flying = false;
      const unknown = !error.problem || error.status === 503 && error.problem.code === "recorder-gone";
      if (!unknown) { this.end(press, null, error.problem); return; }
      this.unsure = true;
      if (performance.now() - press.at > GIVE_UP_MS) { this.end(press, null, null); return; }
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.pump(), AGAIN_MS);
      this.changed();
    }
  }

  end(press, stored, problem) {
    this.waiting = this.waiting.filter((other) => other !== press);
    this.unsure = false; // the box answers again: what is left may go at once, in its order
    this.answered(press, stored, problem);
    this.pump();
    this.changed();
  }
}
