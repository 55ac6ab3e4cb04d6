// Keys of the review page. Single letters can be switched off (WCAG 2.1.4) and never act while someone types.

const dialog = document.querySelector("#keys");
const lettersOn = dialog.querySelector("#keys-on");
const REMEMBERED = "countersign-keys";

/** Maps keys to actions: single letters and Escape by name, `toSign` for Ctrl+Enter. */
export function wireKeys(actions) {
  lettersOn.checked = remembered() !== "off";
  lettersOn.addEventListener("change", () => remember(lettersOn.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => press(event, actions));
  document.addEventListener("click", (event) => event.target.closest("[data-help]") && dialog.showModal());
}

function press(event, actions) {
  if (dialog.open || event.isComposing || event.repeat) return;
  const action = actionFor(event, actions);
  if (!action) return;
  event.preventDefault();
  action();
}

function actionFor(event, actions) {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") return actions.toSign;
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  if (event.key === "Escape") return actions.Escape;
  if (!lettersOn.checked || event.target.matches("input, textarea, select")) return null;
  return event.key === "?" ? () => dialog.showModal() : actions[event.key];
}

// A frame of another site may have no storage; then the choice lasts as long as the page.
function remembered() {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null;
  }
}

function remember(choice) {
  try {
    localStorage.setItem(REMEMBERED, choice);
  } catch {
    dialog.dataset.notRemembered = "";
  }
}
