// Sends the browser on to the EHR's sign-in. Once: the request cannot be used a second time.

const form = document.querySelector("#authorize");

form.addEventListener("submit", (event) => {
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
});

// Submitting waits for the page to be complete, so that it can be seen when the sign-in is slow.
window.addEventListener("load", () => form.requestSubmit());
