// Starts drafting at once and says what is awaited while it lasts.

const form = document.querySelector("#draft");
const button = form.querySelector("button");
const LATER = [
  [4000, "Writing the draft from what was read."],
  [12000, "Still working. The EHR is answering slowly; you can leave this page open."],
  [30000, "This takes longer than usual. Nothing is lost if you come back to it from the chart."],
];

form.addEventListener("submit", (event) => {
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  button.hidden = true;
  form.querySelector(".working").hidden = false;
  const words = form.querySelector("#working-words");
  for (const [after, sentence] of LATER) window.setTimeout(() => { words.textContent = sentence; }, after);
});

// A page restored by the Back button must be usable again.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());

// After a failure the person decides when to try again. Submitting waits for the page to be complete:
// earlier, the new navigation would stop the page that says what is awaited.
if ("startAtOnce" in form.dataset) window.addEventListener("load", () => form.requestSubmit());
