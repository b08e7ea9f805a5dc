// Several sources: one is large, the others are small pictures that are renewed every second; a touch makes one large.
"use strict";

const REST_MS = 1000;
const SMALL = 240; // pixels across

class Sources {
  constructor(list, chosen) {
    this.list = list;
    this.chosen = chosen;
    this.tiles = new Map();
    this.others(data.source);
  }

  others(large) {
    for (const { preview } of this.tiles.values()) preview.close();
    this.tiles.clear();
    this.list.replaceChildren(...data.sources.filter(({ name }) => name !== large).map(({ name }) => this.tile(name)));
  }

  tile(name) {
    const [item, key, picture, does, word, mark] = ["li", "button", "canvas", "span", "bdi", "b"].map((tag) => document.createElement(tag));
    key.type = "button";
    key.append(picture, does, word, mark);
    does.className = "unseen";
    does.textContent = filled(say.show, { source: name });
    word.textContent = name;
    key.addEventListener("click", () => { feel(key); this.chosen(name); this.others(name); });
    item.append(key);
    this.tiles.set(name, { key, mark, preview: new Preview(name, SMALL, (bitmap) => paint(picture, bitmap), REST_MS) });
    return item;
  }

  // Say of each small picture whether it is one, and of which a clip is recorded.
  judge(box) {
    for (const [name, { key, mark }] of this.tiles) {
      const lives = box.recorder === "ok" && box.sources.some((one) => one.name === name && one.state === "live");
      const recorded = box.clip?.source === name;
      key.dataset.state = recorded ? "rec" : lives ? "on" : "off";
      mark.textContent = recorded ? say.recorded : lives ? "" : say.nothing;
    }
  }
}
