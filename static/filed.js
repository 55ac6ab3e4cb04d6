// Follows the note on its way to the chart: asks after one second, then more rarely, until it is settled; and once more
// whenever somebody comes back to this page.

import { announce, copyText, measureSticky, untilReleased, wireCopyButtons } from "./page.js";

const status = document.querySelector("#status");
const versions = document.querySelector("#versions");
const SOONEST_MILLISECONDS = 1000;
const LATEST_MILLISECONDS = 5000;
const SILENCES_BEFORE_SAYING_SO = 3;
let silences = 0;
let asking = false;
const lastShown = new Map([status, versions].map((part) => [part, part.innerHTML]));

function later(milliseconds) {
  if (!("settled" in status.dataset)) window.setTimeout(ask, milliseconds, milliseconds);
}

async function ask(waited) {
  await readAndShow();
  if (silences === SILENCES_BEFORE_SAYING_SO) announce("Countersign is not answering. The note is safe; this page keeps asking.");
  later(Math.min(waited * 1.5, LATEST_MILLISECONDS));
}

async function readAndShow() {
  asking = true;
  const answer = await readStatus();
  await untilReleased();
  silences = answer ? 0 : silences + 1;
  if (answer) show(answer);
  asking = false;
}

/** What settled may have been changed in the chart while nobody looked. */
function askAgain() {
  if (document.visibilityState === "visible" && "settled" in status.dataset && !asking) readAndShow();
}

async function readStatus() {
  try {
    const response = await fetch(status.dataset.statusUrl, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (response.status === 401 || response.status === 403) location.reload(); // that page says what it needs
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

function show({ html, versions: allVersions, place, settled }) {
  if (settled) status.dataset.settled = "";
  else if ("settled" in status.dataset) {
    delete status.dataset.settled;
    later(SOONEST_MILLISECONDS);
  }
  const before = sentence();
  // The last text of the header's line; before it may stand that the note goes by hand.
  document.querySelector(".landing-headline [data-place]").textContent = place;
  fill(versions, allVersions);
  fill(status, html);
  if (sentence() !== before) announce(sentence());
}

/** Only where something changed: what is read, selected or has the focus stays as it is. */
function fill(part, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  if (normal(fresh.innerHTML) === normal(lastShown.get(part))) return;
  lastShown.set(part, fresh.innerHTML);
  const focused = part.contains(document.activeElement) ? document.activeElement.outerHTML : "";
  part.replaceChildren(fresh.content);
  if (focused) focusAgain(part, focused);
}

/** What had the focus has it again; where it is gone, what is to be done next has. */
function focusAgain(part, focused) {
  const targets = [...part.querySelectorAll("a, button")];
  const same = targets.find((target) => target.outerHTML === focused);
  (same ?? status.querySelector("[data-action]") ?? targets[0])?.focus();
}

const sentence = () => status.querySelector("[data-sentence]").textContent;
const normal = (html) => html.replace(/\s+/g, " ").trim();

/** "Copy" first copies, then tells the server that it was copied; what failed is said, and not recorded. */
async function copyThenPost(event) {
  const form = event.target.closest("[data-copy-then-post]");
  if (!form) return;
  event.preventDefault();
  if (await copyText(document.querySelector(form.dataset.copyThenPost))) return form.submit();
  announce("The text is selected. Press Ctrl+C, then press the button again.");
  form.removeAttribute("data-copy-then-post");
  form.querySelector("button").textContent = "I have copied it";
}

document.addEventListener("submit", copyThenPost);
document.addEventListener("visibilitychange", askAgain);
window.addEventListener("focus", askAgain);
wireCopyButtons();
measureSticky();
later(SOONEST_MILLISECONDS);
