// The chart page: opens the app in its frame, keeps the notes current, and drives the QA panel.
const { ehr, patient } = document.body.dataset
const chart = `/${ehr}/charts/${patient}`
const qa = `/qa/${ehr}`
const NOTES_EVERY_MS = 2000
const FINGERPRINT_SHOWN = 12

const byId = (id) => document.getElementById(id)

async function openApp() {
  const status = byId("launch-status")
  status.textContent = "Opening…"
  const reply = await fetch(`${chart}/launches${location.search}`, { method: "POST" })
  const body = await reply.json()
  if (!reply.ok) {
    status.textContent = body.error
    return
  }
  byId("app-pane").hidden = false
  document.body.classList.add("app-open")
  byId("app-frame").src = body.url
  status.textContent = ""
}

let shownNotes = null

async function rereadNotes() {
  const html = await readNotes()
  if (html === null) return // a slow or restarting EHR is asked again soon
  if (html !== shownNotes) replaceNotes(html)
  shownNotes = html
}

async function readNotes() {
  try {
    const reply = await fetch(`${chart}/notes`)
    return reply.ok ? await reply.text() : null
  } catch {
    return null
  }
}

// Texts that the reader opened stay open when the list is replaced.
function replaceNotes(html) {
  const open = new Set([...document.querySelectorAll("#chart-notes article:has(details[open])")].map((a) => a.dataset.noteId))
  byId("chart-notes").innerHTML = html
  for (const article of document.querySelectorAll("#chart-notes article")) {
    if (open.has(article.dataset.noteId)) article.querySelector("details").open = true
  }
}

function fillTable(id, rows) {
  const lines = rows.map((cells) => {
    const line = document.createElement("tr")
    line.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text ?? "" })))
    return line
  })
  byId(id).tBodies[0].replaceChildren(...lines)
}

const short = (fingerprint) => (fingerprint ?? "").slice(0, FINGERPRINT_SHOWN)

async function showQa() {
  const [tokens, requests, faults] = await Promise.all(
    ["tokens", "requests", "faults"].map((name) => fetch(`${qa}/${name}`).then((reply) => reply.json())),
  )
  fillTable("qa-tokens", tokens.toReversed().map((t) => [short(t.token_sha256), t.fhir_user, t.patient, t.encounter, t.revoked ? "revoked" : "valid"]))
  fillTable("qa-requests", requests.toReversed().map((r) => [r.time.slice(11, 23), [r.interaction, r.resource_type].filter(Boolean).join(" "), r.status, short(r.token_sha256), r.fault]))
  showSwitches(faults)
}

let belongs = {}

function showSwitches({ armed, knobs, belongs: places }) {
  belongs = places
  const focused = document.activeElement?.dataset.knob
  const on = new Set(armed.map((fault) => fault.fault))
  const items = Object.entries(knobs).map(([name, words]) => {
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: on.has(name) })
    box.addEventListener("change", () => (box.checked ? arm(name) : disarm(name)))
    box.dataset.knob = name
    const label = document.createElement("label")
    label.append(box, ` ${words}`)
    const item = document.createElement("li")
    item.append(label)
    return item
  })
  byId("qa-faults").replaceChildren(...items)
  // Whoever switches by keyboard stays where they are.
  if (focused) document.querySelector(`[data-knob="${focused}"]`)?.focus()
}

async function arm(fault) {
  // A knob that is made for one place is switched on there, whatever is chosen above the list.
  const chosen = byId("qa-interaction").value
  const fits = belongs[fault].length === 0 || belongs[fault].includes(chosen)
  const interaction = fits ? chosen : ""
  const resource_type = interaction === "create" ? "DocumentReference" : null
  await fetch(`${qa}/faults`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ fault, interaction, resource_type }),
  })
  await showQa()
}

async function disarm(fault) {
  await fetch(`${qa}/faults${fault ? `?fault=${fault}` : ""}`, { method: "DELETE" })
  await showQa()
}

byId("open-countersign").addEventListener("click", openApp)
byId("qa").addEventListener("toggle", () => byId("qa").open && showQa())
byId("qa-clear").addEventListener("click", () => disarm())
setInterval(rereadNotes, NOTES_EVERY_MS)
