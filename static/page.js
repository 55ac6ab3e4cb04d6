// What every page shares: saying things politely, measuring what sticks, copying.

const announcer = document.querySelector("#announcer");

/** Says words to screen readers without moving focus. Saying the same words twice is heard twice. */
export function announce(words) {
  announcer.textContent = "";
  window.setTimeout(() => { announcer.textContent = words; }, 50);
}

/** Keeps scroll-padding in step with the header and the action bar, so that neither hides what has focus. */
export function measureSticky() {
  const watch = new ResizeObserver(setHeights);
  for (const box of document.querySelectorAll(".chart-header, .patient-facts, .action-bar")) watch.observe(box);
  return watch;
}

function setHeights() {
  const root = document.documentElement.style;
  root.setProperty("--header-height", `${stuckHeight([".chart-header", ".patient-facts"])}px`);
  root.setProperty("--bar-height", `${stuckHeight([".action-bar"])}px`);
}

function stuckHeight(selectors) {
  const boxes = selectors.map((selector) => document.querySelector(selector)).filter(Boolean);
  const stuck = boxes.filter((box) => getComputedStyle(box).position === "sticky" && box.getClientRects().length);
  return Math.max(0, ...stuck.map((box) => Math.ceil(box.getBoundingClientRect().height)));
}

/**
 * Makes `shown` say what `fresh` says without replacing what stays: an element that someone is pressing, or that has
 * the focus, lives on. Where the two are built differently, the children are exchanged.
 */
export function bringUpToDate(shown, fresh) {
  for (const { name } of [...shown.attributes]) if (!fresh.hasAttribute(name)) shown.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  const pairs = [...shown.children].map((child, at) => [child, fresh.children[at]]);
  const alike = shown.children.length === fresh.children.length && pairs.every(([one, other]) => one.tagName === other.tagName);
  if (alike && pairs.length) for (const [one, other] of pairs) bringUpToDate(one, other);
  else if (shown.innerHTML !== fresh.innerHTML) shown.replaceChildren(...fresh.childNodes);
}

const LONGEST_PRESS_MILLISECONDS = 1500;
let pressed = false;
document.addEventListener("pointerdown", () => { pressed = true; }, true);
document.addEventListener("keydown", (event) => { pressed ||= event.key === " " && !event.target.matches("textarea, input"); }, true);
// The click comes after the release, so whatever waited comes after the click.
for (const end of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(end, () => window.setTimeout(release), true);

function release() {
  pressed = false;
  document.dispatchEvent(new CustomEvent("released"));
}

/**
 * Resolves when nothing is pressed. A line that is redrawn moves what stands below it, and a press that begins on one
 * element and ends on another is a press on neither.
 */
export function untilReleased() {
  if (!pressed) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener("released", resolve, { once: true });
    window.setTimeout(resolve, LONGEST_PRESS_MILLISECONDS);
  });
}

/** The text of a note, a section or a line, as a person would paste it. */
export function plainText(element) {
  const sections = [...element.querySelectorAll(".note-section")];
  if (sections.length) return sections.map(sectionText).filter(Boolean).join("\n\n");
  if (element.matches(".claims")) return linesOf(element).join("\n");
  return element.textContent;
}

function sectionText(section) {
  const lines = linesOf(section);
  return lines.length ? [section.querySelector("[data-section-title]").textContent, ...lines].join("\n") : "";
}

function linesOf(element) {
  const texts = [...element.querySelectorAll("span[data-claim-text]")];
  return texts.map((text) => text.textContent.trim()).filter(Boolean);
}

/**
 * Copies an element's text. Inside another site's frame the clipboard may be closed to us:
 * then the text is left selected, and false is returned so that the caller can say so.
 */
export async function copyText(element) {
  const text = plainText(element);
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(element, text);
  }
}

function copyBySelection(element, text) {
  getSelection().selectAllChildren(element);
  const write = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", write, { once: true });
  const copied = document.execCommand("copy");
  document.removeEventListener("copy", write);
  return copied;
}

/** Every button with data-copy copies the element that it names, and says so beside itself. */
export function wireCopyButtons() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    const copied = await copyText(document.querySelector(button.dataset.copy));
    announce(copied ? `Copied ${button.dataset.copyWhat}.` : "Selected. Press Ctrl+C to copy.");
    showBriefly(button, copied ? "Copied" : "Selected: press Ctrl+C");
  });
}

function showBriefly(button, words) {
  if (button.dataset.showing) return;
  const before = button.innerHTML;
  button.dataset.showing = "yes";
  button.textContent = words;
  window.setTimeout(() => {
    button.innerHTML = before;
    delete button.dataset.showing;
  }, 2500);
}
