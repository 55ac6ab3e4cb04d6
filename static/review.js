// The review page: edits save themselves, one-click decisions stay on the page, keys move through open items.

import { announce, measureSticky, wireCopyButtons } from "./page.js";
import { choose, closeEvidence, currentClaim, mostImportant, toggleEvidence, wireEvidence } from "./evidence.js";
import { saveOnLeaving, saveSoon, saveText, sendForm, unsavedClaims } from "./saving.js";
import { wireKeys } from "./keys.js";
import { wireProposals } from "./proposals.js";

const main = document.querySelector("[data-review]");
measureSticky();

function openEditor(claim) {
  const box = claim?.querySelector("textarea");
  if (!box) return;
  choose(claim);
  claim.dataset.editing = "";
  box.focus();
  box.setSelectionRange(box.value.length, box.value.length);
  claim.querySelector("[data-editor]").scrollIntoView({ block: "nearest" });
}

/**
 * Whoever pressed Edit before this script ran has the editor open by the page's address alone, which would let go of
 * it when the line is redrawn after saving. From here on it is open like any other, and addresses open none.
 */
function takeOverEditor() {
  const claim = main.querySelector("[data-editor]:target")?.closest(".claim");
  main.dataset.scripted = "";
  if (!claim) return;
  claim.dataset.editing = "";
  choose(claim);
  const keepFocus = () => document.activeElement === document.body && claim.querySelector("textarea")?.focus();
  keepFocus();
  // A page that has come in whole goes to its address once more, and takes the focus from whoever types.
  if (document.readyState !== "complete") window.addEventListener("load", () => window.setTimeout(keepFocus));
  if (unsavedClaims().includes(claim)) saveSoon(claim);
}

async function closeEditor(claim) {
  if (!(await saveText(claim))) return;
  delete claim.dataset.editing;
  claim.focus();
}

function confirmLine(claim) {
  const button = claim?.querySelector("[data-confirm]");
  if (button) button.click();
  else announce("Nothing to confirm on this line.");
}

function goTo(claim) {
  choose(claim);
  claim.focus({ preventScroll: true });
  claim.scrollIntoView({ block: "nearest" });
}

/** Moves to the next (1) or previous (-1) open item, round the end; the first move goes to the most important one. */
function step(direction) {
  if (!currentClaim() && mostImportant()) return goTo(mostImportant());
  const claims = [...main.querySelectorAll(".claim")];
  const here = claims.indexOf(currentClaim());
  const order = claims.map((_, i) => claims[(here + direction * (i + 1) + claims.length * 2) % claims.length]);
  const next = order.find((claim) => claim.hasAttribute("data-open"));
  if (next) goTo(next);
  else announce("Nothing is open. Control and Enter go to the sign step.");
}

async function goToSign(href) {
  const saved = await Promise.all(unsavedClaims().map(saveText));
  if (saved.every(Boolean)) return location.assign(href);
  openEditor(unsavedClaims()[0]);
  announce("One line is not saved yet. Settle it, then go on to sign.");
}

function back() {
  const claim = currentClaim();
  if (!claim) return;
  if (document.activeElement.matches("textarea")) closeEditor(claim);
  else closeEvidence(claim);
}

function onClick(event) {
  const link = event.target.closest("[data-edit], [data-go], [data-next], [data-to-sign]");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (link.matches("[data-edit]")) openEditor(link.closest(".claim"));
  if (link.matches("[data-go]")) goTo(document.getElementById(`claim-${link.dataset.go}`));
  if (link.matches("[data-next]")) step(1);
  if (link.matches("[data-to-sign]")) goToSign(link.href);
}

function onSubmit(event) {
  const claim = event.target.closest(".claim");
  if (!claim) return;
  event.preventDefault();
  if (event.target.matches("[data-editor]")) closeEditor(claim);
  else sendForm(claim, event.target, event.submitter);
}

const typedIn = (event) => (event.target.matches("textarea") ? event.target.closest(".claim") : null);

document.addEventListener("click", onClick);
main.addEventListener("submit", onSubmit);
main.addEventListener("input", (event) => typedIn(event) && saveSoon(typedIn(event)));
main.addEventListener("focusout", (event) => typedIn(event) && saveOnLeaving(typedIn(event)));
document.addEventListener("visibilitychange", () => document.hidden && unsavedClaims().forEach(saveText));
window.addEventListener("beforeunload", (event) => unsavedClaims().length && event.preventDefault());

wireEvidence(main);
wireProposals();
wireCopyButtons();
takeOverEditor();
wireKeys({
  n: () => step(1),
  p: () => step(-1),
  a: () => confirmLine(currentClaim()),
  e: () => openEditor(currentClaim()),
  o: () => currentClaim() && toggleEvidence(currentClaim()),
  Escape: back,
  toSign: () => goToSign(document.querySelector("a[href='sign'][data-to-sign]").href),
});
