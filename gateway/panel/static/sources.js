// Several sources: one is large, the others are small pictures that are renewed every second; a touch makes one large.
"use strict";

const REST_MS = 1000;
const SMALL = 240; // pixels across
const OLD_MS = 3000; // a small picture that was not renewed for so long has stopped

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
    const tile = { key, mark, sequence: 0, renewed: performance.now() };
    tile.preview = new Preview(name, SMALL, (bitmap, sequence) => {
      paint(picture, bitmap);
      if (sequence === tile.sequence) return; // the same picture once more
      tile.sequence = sequence;
      tile.renewed = performance.now();
    }, REST_MS);
    this.tiles.set(name, tile);
    return item;
  }

  // Say of each small picture whether it is one, and of which a clip is recorded.
  judge(box) {
    for (const [name, { key, mark, renewed }] of this.tiles) {
      const old = performance.now() - renewed > OLD_MS;
      const here = box.recorder === "ok" && box.sources.some((one) => one.name === name && one.state === "live");
      const recorded = box.clip?.source === name;
      key.dataset.state = recorded ? "rec" : here && !old ? "on" : "off";
      mark.textContent = recorded ? say.recorded : !here ? say.nothing : old ? say.stopped[0] : "";
    }
  }
}
