// Saves edits and decisions line by line. One request per line at a time, so that revisions never cross;
// the text that someone typed stays on the screen whatever the answer is.

import { announce, bringUpToDate, untilReleased } from "./page.js";
import { refreshEvidence } from "./evidence.js";

const PAUSE_MILLISECONDS = 1200;
// Leaving the box by pressing a button must not replace that button between press and release.
const BLUR_MILLISECONDS = 300;
const PATIENCE_MILLISECONDS = 15000;
const underWay = new Map();
const pauses = new Map();
let lastSaved = null;

const boxOf = (claim) => claim.querySelector("textarea");
const editorOf = (claim) => claim.querySelector("[data-editor]");
const failed = (claim) => Boolean(claim.querySelector(".not-saved"));
const inConflict = (claim) => Boolean(claim.querySelector(".conflict"));
const isUnsaved = (claim) => Boolean(boxOf(claim)) && boxOf(claim).value !== boxOf(claim).defaultValue;

/** Lines whose text on screen is not the saved text. */
export const unsavedClaims = () => [...document.querySelectorAll(".claim")].filter(isUnsaved);

/**
 * Posts fields as JSON clients do. Never throws: the outcome is "saved", "conflict" or "failed". A conflict shows the
 * line as it now is; a 409 that does not bring it tells of something else, after which the same may be sent again.
 */
export async function post(url, fields) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRF-Token": fields.get("csrf") },
      body: new URLSearchParams(fields),
      signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
    });
  } catch {
    return { outcome: "failed", problem: "Countersign did not answer." };
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return { outcome: "saved", ...answer };
  if (response.status === 409 && answer?.claim_html) return { outcome: "conflict", ...answer };
  if (response.status === 409 && answer?.proposals_html) return { outcome: "failed", ...answer };
  return { outcome: "failed", problem: answer?.problem ?? `Countersign answered with ${response.status}.`, stillHere: answer?.still_here };
}

/** Saves after a pause in typing. */
export function saveSoon(claim, milliseconds = PAUSE_MILLISECONDS) {
  window.clearTimeout(pauses.get(claim.id));
  pauses.set(claim.id, window.setTimeout(saveText, milliseconds, claim));
  if (inConflict(claim)) claim.querySelector("[data-yours]").textContent = boxOf(claim).value;
  else if (isUnsaved(claim)) setState(claim, "Not saved yet");
}

/** Saves shortly after the box was left, if there is anything to save. */
export const saveOnLeaving = (claim) => isUnsaved(claim) && !failed(claim) && saveSoon(claim, BLUR_MILLISECONDS);

/** Saves the text of a line now. Resolves to true when nothing is left unsaved. */
export function saveText(claim) {
  window.clearTimeout(pauses.get(claim.id));
  return inTurn(claim, () => {
    if (!isUnsaved(claim)) return true;
    if (inConflict(claim)) return false;
    return send(claim, editorOf(claim).action, new FormData(editorOf(claim)));
  });
}

/** Sends a decision or a one-click choice, after any typed text of the line was saved. */
export async function sendForm(claim, form, submitter) {
  const fields = new FormData(form, submitter);
  const url = form.action;
  if (await saveText(claim)) await inTurn(claim, () => sendAgain(claim, url, fields));
}

/** The fields as they were, on the revision that the line has by now. */
function sendAgain(claim, url, fields) {
  fields.set("revision", claim.querySelector("[name=revision]").value);
  return send(claim, url, fields);
}

function inTurn(claim, job) {
  const before = underWay.get(claim.id) ?? Promise.resolve();
  const running = before.then(job, job);
  underWay.set(claim.id, running);
  return running;
}

async function send(claim, url, fields) {
  setState(claim, "Saving");
  const answer = await post(url, fields);
  await untilReleased();
  if (answer.outcome === "saved") showSaved(claim, fields, answer);
  if (answer.outcome === "conflict") showConflict(claim, url, fields, answer);
  if (answer.outcome === "failed") showFailure(claim, url, fields, answer);
  return answer.outcome === "saved";
}

function showSaved(claim, fields, answer) {
  if (fields.has("text") && boxOf(claim)) boxOf(claim).defaultValue = fields.get("text");
  replaceClaim(claim, answer.claim_html);
  followSummary(answer.summary_html);
  const words = `Saved ${answer.saved}`;
  if (lastSaved && lastSaved !== claim && !isUnsaved(lastSaved)) setState(lastSaved);
  lastSaved = claim;
  setState(claim, isUnsaved(claim) ? "Not saved yet" : words);
  document.querySelector("#saved-words").textContent = words;
  announce(`${words}. ${document.querySelector("#progress-words").textContent}.`);
}

/** Puts the server's version of a line in place, except the editor that someone is typing in. */
function replaceClaim(claim, html) {
  const fresh = parse(html).querySelector(".claim");
  const focus = document.activeElement;
  const hadFocus = claim.contains(focus) && focus !== claim;
  const hasEditor = Boolean(fresh.querySelector("[data-editor]"));
  const keepEditor = "editing" in claim.dataset || isUnsaved(claim);
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const name = part.dataset.part;
    if (name === "state" || (name === "editor" && keepEditor)) continue;
    const stale = claim.querySelector(`[data-part=${name}]`);
    if (stale) stale.replaceWith(part);
    else claim.append(part);
  }
  if (!keepEditor && !hasEditor) editorOf(claim)?.remove();
  if (keepEditor) editorOf(claim).elements.revision.value = revisionIn(html);
  claim.className = fresh.className;
  claim.toggleAttribute("data-open", fresh.hasAttribute("data-open"));
  refreshEvidence(claim);
  if (hadFocus && !focus.isConnected) claim.focus({ preventScroll: true });
}

function followSummary(html) {
  const fresh = parse(html);
  fresh.querySelector("#saved-words").textContent = document.querySelector("#saved-words").textContent;
  for (const element of fresh.querySelectorAll("#needs-you, #summary, #next-step")) {
    bringUpToDate(document.getElementById(element.id), element);
  }
  const focused = document.activeElement;
  // The last open item was settled with its own link in focus: the keyboard goes on to what is next.
  if (focused?.matches("[data-next][hidden]")) document.querySelector("#next-step a[href='sign']").focus();
}

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return document.importNode(template.content, true);
}

const revisionIn = (html) => parse(html).querySelector("[name=revision]").value;

function setState(claim, ...content) {
  const state = claim.querySelector("[data-save-state]");
  const hadFocus = state.contains(document.activeElement);
  state.replaceChildren(...content);
  // The button that was pressed is gone now; the keyboard stays on the line.
  if (hadFocus) ("editing" in claim.dataset ? boxOf(claim) : claim).focus({ preventScroll: true });
  if (content[0] instanceof Element) state.scrollIntoView({ block: "nearest" });
}

function showFailure(claim, url, fields, { problem, stillHere }) {
  const kept = isUnsaved(claim) ? "Your text is still here." : "The line is as it was.";
  const box = fromTemplate("#not-saved", { problem, kept });
  const retry = box.querySelector("[data-retry]");
  if (stillHere) retry.textContent = "Still me: save";
  retry.addEventListener("click", async () => {
    // Whoever presses this has read who they are, and in whose chart.
    if (stillHere) await post(stillHere, new FormData(editorOf(claim) ?? claim.querySelector("[data-decide]")));
    if (isUnsaved(claim)) saveText(claim);
    else inTurn(claim, () => sendAgain(claim, url, fields));
  });
  setState(claim, box);
  announce(`Not saved. ${problem} ${kept}`);
}

function showConflict(claim, url, fields, answer) {
  if (!fields.has("text")) return showOvertaken(claim, answer);
  const fresh = parse(answer.claim_html).querySelector(".claim");
  const text = fresh.querySelector("[data-claim-text]")?.textContent ?? "";
  const theirs = fresh.matches(".is-removed") ? `Removed: ${text}` : text;
  const box = fromTemplate("#conflict", { problem: answer.problem, theirs, yours: answer.yours || fields.get("text") });
  box.querySelector("[data-take-theirs]").addEventListener("click", () => takeTheirs(claim, answer));
  box.querySelector("[data-take-mine]").addEventListener("click", () => takeMine(claim, url, fields, answer));
  setState(claim, box);
  announce(`${answer.problem} Both versions are shown. Nothing was overwritten.`);
}

function fromTemplate(selector, words) {
  const box = document.querySelector(selector).content.firstElementChild.cloneNode(true);
  for (const [name, value] of Object.entries(words)) box.querySelector(`[data-${name}]`).textContent = value;
  return box;
}

/** A decision that came too late loses nothing: the line is shown as it now is, to be decided again. */
function showOvertaken(claim, answer) {
  replaceClaim(claim, answer.claim_html);
  setState(claim, `${answer.problem} This is how it stands now.`);
  announce(`${answer.problem} The line is shown as it stands now.`);
}

function takeTheirs(claim, answer) {
  const box = boxOf(claim);
  if (box) box.value = box.defaultValue;
  delete claim.dataset.editing;
  replaceClaim(claim, answer.claim_html);
  setState(claim, "The saved version is kept");
  claim.focus();
}

/** Saves the words shown under "Yours", typed on since or not, on top of the other version. */
function takeMine(claim, url, fields, answer) {
  fields.set("text", claim.querySelector("[data-yours]").textContent);
  fields.set("revision", revisionIn(answer.claim_html));
  setState(claim);
  return inTurn(claim, () => send(claim, url, fields));
}
