// An update that is sent as a file. What would refuse it is asked before; how far it is, the page says by itself.
"use strict";

let sending = false;
addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); }); // leaving this page ends it

addEventListener("change", async ({ target: input }) => {
  const address = input.dataset.upload;
  if (!address || !input.files.length) return;
  const [file] = input.files;
  input.disabled = true;
  $("problem").hidden = true;
  try {
    await call(address, { bytes: file.size });
    sending = true;
    await send(address, file);
    sending = false;
    location.reload();
  } catch (error) {
    sending = false;
    showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action });
    input.value = "";
    input.disabled = false;
  }
});

async function send(address, file) {
  let answer;
  try {
    answer = await fetch(address, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream", "accept-language": language },
      body: file,
    });
  } catch (error) { // a browser that still sends may not hear why it was refused
    await call(address, { bytes: file.size });
    throw error;
  }
  if (!answer.ok) throw Object.assign(new Error("refused"), { problem: await answer.json() });
}
