// Presses on their way to the box, over one connection. None is lost, none is stored twice, their order is kept.
"use strict";

const WORRY_MS = 5000; // at the latest then something is said
const GIVE_UP_MS = 20000;
const AGAIN_MS = 400;

function unanswered(problem) { // the recorder is not there, or it may have done it or not: the same request id asks again
  return ["recorder-gone", "recorder-silent"].includes(problem.code);
}

class PressQueue {
  // `answered(press, stored, problem)` is called once for each press; `changed()` whenever their number does.
  constructor(answered, changed) {
    this.answered = answered;
    this.changed = changed;
    this.waiting = []; // in the order of the touches
    this.connect();
    setInterval(() => this.look(), AGAIN_MS);
  }

  get length() { return this.waiting.length; }

  get worrying() { return this.waiting.filter((press) => performance.now() - press.at > WORRY_MS).length; }

  add(body) {
    this.waiting.push({ body: { ...body, request_id: crypto.randomUUID() }, at: performance.now(), flying: false });
    this.send();
    this.changed();
  }

  connect() {
    this.socket = new WebSocket(`${sockets}//${location.host}/api/v1/presses?language=${language}`);
    this.socket.onopen = () => this.send();
    this.socket.onmessage = (event) => this.hear(JSON.parse(event.data));
    this.socket.onclose = () => {
      for (const press of this.waiting) press.flying = false; // asked again: the ids keep them apart
      setTimeout(() => this.connect(), AGAIN_MS);
    };
  }

  send() {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    for (const press of this.waiting) {
      if (press.flying) continue;
      press.flying = true;
      this.socket.send(JSON.stringify(press.body));
    }
  }

  hear({ request_id: id, status, body }) {
    const press = this.waiting.find((one) => one.body.request_id === id);
    if (!press) return;
    if (unanswered(body)) press.flying = false; // `look` asks again
    else this.end(press, status === 201 ? body : null, status === 201 ? null : body);
  }

  look() {
    const old = this.waiting.filter((press) => performance.now() - press.at > GIVE_UP_MS);
    for (const press of old) this.end(press, null, null);
    this.send();
  }

  end(press, stored, problem) {
    this.waiting = this.waiting.filter((other) => other !== press);
    this.answered(press, stored, problem);
    this.changed();
  }
}
