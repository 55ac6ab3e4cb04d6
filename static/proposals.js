// Decisions about proposed entries stay on the page: what someone types elsewhere in the note is not disturbed.

import { announce, untilReleased } from "./page.js";
import { post } from "./saving.js";

let turn = Promise.resolve();

const section = () => document.querySelector("[data-proposals]");

/** Sends the forms of the section by script, one after the other, and shows the section as it stands afterwards. */
export function wireProposals() {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-proposal-form]")) return;
    event.preventDefault();
    const form = event.target;
    if (form.dataset.sent) return; // pressed twice
    form.dataset.sent = "yes";
    const item = form.closest("li");
    const place = item.matches("[data-proposal]") ? item : item.previousElementSibling;
    inTurn(form.action, new FormData(form, event.submitter), place.id).finally(() => delete form.dataset.sent);
  });
}

function inTurn(url, fields, place) {
  const job = () => send(url, fields, place);
  turn = turn.then(job, job);
  return turn;
}

async function send(url, fields, place) {
  say("Saving");
  const answer = await post(url, fields);
  await untilReleased();
  if (answer.proposals_html) show(answer.proposals_html, place);
  if (answer.outcome !== "saved") return showFailure(url, fields, place, answer);
  const words = `${answer.said}. Saved ${answer.saved}.`;
  say(words);
  announce(`${words} ${section().querySelector(".hint").textContent}`);
}

function show(html, place) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  section().replaceWith(document.importNode(fresh.content, true));
  // The button that was pressed is gone: the keyboard stays on the entry, and Tab leads on from there.
  (document.getElementById(place) ?? document.querySelector("#proposals-title")).focus({ preventScroll: true });
}

function showFailure(url, fields, place, { problem, stillHere, proposals_html: isShown }) {
  say(`Not saved. ${problem}`);
  announce(`Not saved. ${problem}`);
  if (isShown) return;
  const again = document.createElement("button");
  again.type = "button";
  again.className = "button small";
  again.textContent = stillHere ? "Still me: save" : "Try again";
  again.addEventListener("click", async () => {
    if (stillHere) await post(stillHere, fields);
    inTurn(url, fields, place);
  });
  section().querySelector("[data-proposals-state]").append(" ", again);
}

function say(words) {
  section().querySelector("[data-proposals-state]").textContent = words;
}
