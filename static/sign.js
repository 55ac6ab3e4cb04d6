// One signature per click, however often someone presses; the server enforces the same.

import { measureSticky } from "./page.js";

const form = document.querySelector("#sign");

form?.addEventListener("submit", (event) => {
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  form.querySelector("button").setAttribute("aria-disabled", "true");
  form.querySelector("#signing-words").textContent = "Signing. The next page shows where the note is.";
});

window.addEventListener("pageshow", (event) => event.persisted && location.reload());
measureSticky();
