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
