// The live picture of one source: each message is drawn, and then the box is told that the next one may come.
"use strict";

class Preview {
  // `drawn` is called with a bitmap, its number and its bytes; a picture stands `rest` ms before the next is asked for.
  constructor(source, width, drawn, rest = 0) {
    const address = `${sockets}//${location.host}/api/v1/preview/${encodeURIComponent(source)}?width=${width}`;
    Object.assign(this, { address, drawn, rest, closed: false });
    this.open();
  }

  open() {
    if (this.closed) return;
    const socket = new WebSocket(this.address);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = async (event) => {
      const next = () => { if (socket.readyState === WebSocket.OPEN) socket.send("1"); };
      try { await this.draw(event.data); } finally { if (this.rest) setTimeout(next, this.rest); else next(); }
    };
    socket.onclose = () => setTimeout(() => this.open(), 300);
  }

  async draw(message) {
    const sequence = Number(new DataView(message, 0, 16).getBigUint64(0));
    const bytes = new Uint8Array(message, 16);
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    if (!this.closed) this.drawn(bitmap, sequence, bytes); // another source may have been chosen meanwhile
    bitmap.close();
  }

  close() {
    this.closed = true;
    this.socket.close();
  }
}

function paint(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
}
