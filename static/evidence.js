// Shows what a line rests on: in the panel beside the note where there is room, else under the line.

import { announce } from "./page.js";

const panel = document.querySelector("#evidence");
const shown = panel.querySelector("[data-evidence]");
const HOVER_MILLISECONDS = 120;
let chosen = null;
let hovering = 0;

const hasPanel = () => getComputedStyle(panel).display !== "none";

/** The line that keys act on: the one with focus, else the last one chosen. */
export function currentClaim() {
  return document.activeElement?.closest?.(".claim") ?? (chosen?.isConnected ? chosen : null);
}

/** The open line that the summary names first. */
export function mostImportant() {
  const link = document.querySelector("[data-go]");
  return link && document.getElementById(`claim-${link.dataset.go}`);
}

/** Makes a line the chosen one and fills the panel with its sources; `number` points at one of them. */
export function choose(claim, number = "") {
  document.querySelector(".claim[data-chosen]")?.removeAttribute("data-chosen");
  for (const pill of document.querySelectorAll(".pill[aria-current]")) pill.removeAttribute("aria-current");
  chosen = claim;
  claim.dataset.chosen = "";
  claim.querySelector(`.pill[data-source="${number}"]`)?.setAttribute("aria-current", "true");
  fillPanel(claim);
  if (number) point(hasPanel() ? panel : claim, number);
}

function fillPanel(claim) {
  const text = document.createElement("p");
  text.className = "chosen-text";
  text.textContent = claim.querySelector("[data-claim-text]")?.textContent ?? "Nothing written here";
  const sources = claim.querySelector("[data-part=sources]").cloneNode(true);
  sources.querySelector(".close-sources")?.remove();
  for (const element of sources.querySelectorAll("[id]")) element.removeAttribute("id");
  shown.replaceChildren(text, ...sources.childNodes);
}

function point(where, number) {
  for (const passage of where.querySelectorAll("[data-passage]")) {
    passage.toggleAttribute("data-chosen", passage.dataset.passage === number);
  }
  where.querySelector(`[data-passage="${number}"]`)?.scrollIntoView({ block: "nearest" });
}

/** Opens the evidence of a line for reading; with `focus` the keyboard goes there too. */
export function openEvidence(claim, number = "", focus = false) {
  if (!hasPanel()) claim.dataset.sourcesOpen = "";
  choose(claim, number);
  if (focus && hasPanel()) panel.querySelector("#evidence-title").focus();
  if (!hasPanel()) announce("Evidence is open under the line.");
}

/** What `o` does: opens the evidence, or puts it away under the line. */
export function toggleEvidence(claim) {
  if (!hasPanel() && "sourcesOpen" in claim.dataset) closeEvidence(claim);
  else openEvidence(claim, "", true);
}

/** Puts evidence away and returns to the line that it belongs to. */
export function closeEvidence(claim) {
  delete claim.dataset.sourcesOpen;
  const pill = claim.querySelector(".pill[aria-current]");
  (pill ?? claim).focus();
}

/** After a line was replaced by its saved version, the panel follows. */
export function refreshEvidence(claim) {
  if (chosen?.id === claim.id) choose(claim, claim.querySelector(".pill[aria-current]")?.dataset.source);
}

/** Pills answer to tap, Enter, hover and focus; a tap anywhere on a line chooses it. */
export function wireEvidence(main) {
  main.addEventListener("click", (event) => {
    const claim = event.target.closest(".claim");
    const pill = event.target.closest(".pill");
    if (pill) return openFromPill(event, claim, pill);
    if (claim && !event.target.closest("button, a, textarea, .sources")) choose(claim);
  });
  main.addEventListener("focusin", ({ target }) => follow(target));
  main.addEventListener("pointerover", ({ target, pointerType }) => {
    window.clearTimeout(hovering);
    const pill = target.closest(".pill");
    if (pill && pointerType === "mouse") hovering = window.setTimeout(follow, HOVER_MILLISECONDS, pill);
  });
  const first = mostImportant() ?? main.querySelector(".claim");
  if (first) fillPanel(first);
}

function openFromPill(event, claim, pill) {
  event.preventDefault();
  const again = pill.hasAttribute("aria-current") && "sourcesOpen" in claim.dataset;
  if (again && !hasPanel()) return closeEvidence(claim);
  // A click without pointer presses is Enter: the keyboard goes along, and Escape brings it back.
  openEvidence(claim, pill.dataset.source, event.detail === 0);
}

function follow(target) {
  const claim = target.closest(".claim");
  if (claim && hasPanel()) choose(claim, target.closest(".pill")?.dataset.source);
}
