// Device profiles are tried one after the other, for a grabber has one reader; each choice shows the picture that it gives.
"use strict";

const profileWords = JSON.parse($("profile-words").textContent);

async function loads(image, address) {
  image.src = address;
  try { await image.decode(); return true; } catch { return false; }
}

// Why nothing came, in the words of the box: an image that fails says none.
async function whyNothing(address) {
  try {
    const answer = await fetch(address, { headers: { "accept-language": language } });
    const { what, action } = answer.ok ? {} : await answer.json();
    return what ? `${what} ${action}` : profileWords.nothing;
  } catch { return profileWords.nothing; }
}

async function tryProfiles(list) {
  const told = $("profiles-tried");
  const choices = [...list.querySelectorAll("[data-profile]")];
  const look = (profile) => `/api/v1/devices/look?${new URLSearchParams({ device: list.dataset.device, profile, width: "320" })}`;
  let fitting = 0;
  for (const [at, choice] of choices.entries()) {
    told.textContent = filled(profileWords.trying, { number: at + 1, count: choices.length });
    const fits = await loads(choice.querySelector("img"), look(choice.dataset.profile));
    choice.dataset.fits = fits ? "yes" : "no";
    fitting += fits;
  }
  told.textContent = fitting ? filled(profileWords.fitting, { count: fitting }) : await whyNothing(look(""));
  told.dataset.over = "";
}
if (document.querySelector("[data-device]")) tryProfiles(document.querySelector("[data-device]"));
