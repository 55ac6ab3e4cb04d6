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
  if (answer.proposals_html) show(answer.proposals_html, place, answer.outcome === "saved");
  if (answer.outcome !== "saved") return showFailure(url, fields, place, answer);
  const words = `${answer.said}. Saved ${answer.saved}.`;
  say(words);
  announce(`${words} ${section().querySelector(".hint").textContent}`);
}

function show(html, place, isSaved) {
  const typed = beingChanged().filter((one) => !(isSaved && one.entry === place));
  const typedAt = typed.find((one) => one.at)?.at;
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  section().replaceWith(document.importNode(fresh.content, true));
  typed.forEach(typeAgain);
  // The button that was pressed is gone: the keyboard stays on the entry, and Tab leads on from there; but who types
  // into another entry by now goes on typing.
  const next = document.getElementById(typedAt) ?? document.getElementById(place);
  (next ?? document.querySelector("#proposals-title")).focus({ preventScroll: true });
}

/** The entries whose form is open, what is typed there, and in which field somebody is. */
function beingChanged() {
  return [...section().querySelectorAll(".proposal-change[open]")].map((details) => ({
    entry: details.closest("[data-proposal]").id,
    values: [...details.querySelectorAll("input:not([type=hidden]), select")]
      .filter(isTyped)
      .map(({ id, value, selectionStart, selectionEnd }) => ({ id, value, selectionStart, selectionEnd })),
    at: details.contains(document.activeElement) ? document.activeElement.id : "",
  }));
}

/** What nobody typed is not typed again: another window may have saved something else meanwhile. */
function isTyped(field) {
  if (!field.options) return field.value !== field.defaultValue;
  return [...field.options].some((one) => one.selected !== one.defaultSelected);
}

function typeAgain({ entry, values }) {
  const details = document.getElementById(entry)?.querySelector(".proposal-change");
  if (!details) return;
  details.open = true;
  for (const { id, value, selectionStart, selectionEnd } of values) {
    const field = document.getElementById(id);
    field.value = value;
    if (field.type === "text") field.setSelectionRange(selectionStart, selectionEnd);
  }
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
