// Goes on in a new window, or here once the browser allows the cookie; and says which of the two happened.

const offer = document.querySelector("#offer");
const opened = document.querySelector("#opened");
const windowLink = document.querySelector("#window");
const allow = document.querySelector("#allow");

// The link itself opens the window, so it works without this script; afterwards it is used up.
windowLink.addEventListener("click", () => window.setTimeout(sayOpened));

function sayOpened() {
  offer.hidden = true;
  opened.hidden = false;
  opened.querySelector("h1").focus();
}

if (allow && "requestStorageAccess" in document) {
  document.querySelector("#stay").hidden = false;
  allow.hidden = false;
  allow.addEventListener("click", goOnHere);
}

/** Browsers grant this only in answer to a click, and some frames may not ask at all. */
async function goOnHere() {
  allow.disabled = true;
  try {
    await document.requestStorageAccess();
  } catch {
    return sayRefused();
  }
  location.assign(allow.dataset.continue);
}

function sayRefused() {
  document.querySelector("#stay").hidden = true;
  allow.hidden = true;
  document.querySelector("#refused").hidden = false;
  windowLink.focus();
}
