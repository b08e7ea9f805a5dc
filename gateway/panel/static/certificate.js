// Certificates that come in as files: sent as the text that they are.
"use strict";

addEventListener("change", async ({ target: input }) => {
  if (!input.dataset.pem || !input.files.length) return;
  $("problem").hidden = true;
  try {
    await call(input.dataset.pem, { pem: await input.files[0].text() });
    location.reload();
  } catch (error) {
    showProblem(error.problem || { what: words.unreachable, action: words.unreachable_action });
    input.value = "";
  }
});
