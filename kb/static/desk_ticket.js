// A ticket on the desk: keys, drafts that survive, steps taken without leaving the page, and a quiet line about who else is here.
const page = document.querySelector("[data-ticket]");
const number = page.dataset.ticket;
const composer = document.getElementById("composer");
const body = composer.elements.body;
const dialog = document.getElementById("keys");
const live = page.querySelector(".presence");
const news = live.querySelector("[data-news]");
const PARTS = ["head", "told", "timeline", "public", "aside", "escalation"];
const LOOK_EVERY = 20_000;
const AT_REST = 15 * 60_000; // nobody has touched anything: no more looks, so that an unattended screen signs itself out

// Drafts: what is typed stays in this browser tab until it has been sent. The address forgets that it was, so that a reload says nothing old.
const keyOf = (area) => `kb-draft ${number} ${area.id}`;
const address = new URL(location.href);
const SENT = `kb-sent ${number}`;
const kept = new Map(); // what was typed before this page was opened: it is safe where it is, and nobody is in the middle of it
if (["reply", "ask", "note", "resolve", "publish", "reply-public", "resolve-public"].includes(address.searchParams.get("done"))) forget();
function forget() {
  try {
    for (const key of sessionStorage.getItem(SENT)?.split("\n") ?? [keyOf(body)]) sessionStorage.removeItem(key);
    sessionStorage.removeItem(SENT);
  } catch {
    // without storage there is nothing to forget
  }
}
try {
  sessionStorage.setItem("kb-desk-row", number); // the queue marks the row that one comes back from
} catch {
  // without storage the queue begins at its first row
}
address.searchParams.delete("done");
history.replaceState(history.state, "", address);
for (const area of page.querySelectorAll("[data-draft]")) {
  try {
    area.value ||= sessionStorage.getItem(keyOf(area)) ?? "";
    kept.set(area.id, area.value);
  } catch {
    // without storage the text lives as long as the page
  }
}
page.addEventListener("input", ({ target }) => target.matches("[data-draft]") && keep(target));
function keep(area) {
  try {
    sessionStorage.setItem(keyOf(area), area.value);
  } catch {
    // the same
  }
}
const midway = () => [...page.querySelectorAll("[data-draft]")].some((area) => area.value.trim() && area.value !== kept.get(area.id));
const dirty = () => [...page.querySelectorAll("[data-draft]")].some((area) => area.value.trim());

// Steps that change no text are taken in place: the page is fetched and its parts are put where they stood.
let busy = false;
page.addEventListener("submit", async (event) => {
  const form = event.target;
  if (busy) return event.preventDefault();
  if (!form.matches("[data-quiet]")) {
    if (form === composer && hasBlank(event.submitter)) return event.preventDefault();
    busy = true;
    leave(form);
    return;
  }
  event.preventDefault();
  const { activeElement } = document;
  const focused = activeElement?.id;
  await show(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)) });
  if (focused && !document.contains(activeElement)) document.getElementById(focused)?.focus({ preventScroll: true });
});

// What goes with this form is forgotten when it has arrived, and only that.
function leave(form) {
  try {
    sessionStorage.setItem(SENT, [...form.querySelectorAll("[data-draft]")].map(keyOf).join("\n"));
  } catch {
    // without storage nothing was kept
  }
}

// A second press while the first is on its way says nothing twice; coming back to the page by the browser's button begins anew.
window.addEventListener("pageshow", () => (busy = false));

async function show(address, options) {
  busy = true;
  try {
    const answer = await fetch(address, options);
    if (new URL(answer.url).pathname === "/sign-in") return location.assign(answer.url);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const other = fresh.querySelector("[data-ticket]");
    if (!other) return tell(fresh.querySelector("main")?.innerText.trim() || "没有保存，请刷新后再试。");
    replaceParts(fresh, other);
  } catch {
    tell("没有保存：网络断了。恢复后再点一次。");
  } finally {
    busy = false;
  }
}

function replaceParts(fresh, other) {
  const open = new Set([...page.querySelectorAll("details[open]")].map((one) => one.className));
  const typed = new Map([...page.querySelectorAll(":is(#aside, #escalation) :is(input, textarea)[id]")].map((one) => [one.id, one.value]));
  const ticked = new Set([...page.querySelectorAll("#aside [type=checkbox]:checked")].map((one) => one.value));
  for (const id of PARTS) document.getElementById(id).replaceWith(fresh.getElementById(id));
  for (const details of page.querySelectorAll("details")) details.open ||= open.has(details.className);
  for (const [id, value] of typed) {
    const field = document.getElementById(id);
    if (field) field.value ||= value;
  }
  for (const box of page.querySelectorAll("#aside [type=checkbox]")) box.checked ||= ticked.has(box.value);
  page.dataset.version = other.dataset.version;
  composer.elements.seen.value = other.dataset.version;
  news.hidden = true;
}

function tell(text) {
  const line = Object.assign(document.createElement("p"), { className: "note bad", textContent: text });
  document.getElementById("told").replaceChildren(line);
}

// A select saves when it is changed: at once with a pointer, on Enter or on leaving it with the keyboard, whose arrows pass by what is not meant.
let byKey = false;
page.addEventListener("keydown", ({ target, key }) => {
  if (!target.matches("[data-autosave]")) return;
  byKey = key !== "Enter";
  if (key === "Enter") save(target);
});
page.addEventListener("pointerdown", ({ target }) => (byKey = byKey && !target.closest("[data-autosave]")));
page.addEventListener("change", ({ target }) => target.matches("[data-autosave]") && !byKey && save(target));
page.addEventListener("focusout", ({ target }) => target.matches("[data-autosave]") && byKey && save(target));
function save(select) {
  byKey = false;
  const as = [...select.options].find((option) => option.defaultSelected) ?? select.options[0];
  if (select.value !== as.value) select.form.requestSubmit();
}

// The composer: what the button does is what it says, canned replies come to the cursor, and their blanks are filled before anything is sent.
const BLANK = /（填写[^）\n]{0,60}）/;
const send = composer.querySelector("[data-send]");
const to = composer.elements.to;
function mode() {
  return composer.elements.mode.value;
}
function label() {
  const one = to?.selectedOptions[0];
  const all = one?.value ? one.textContent.replace(/^只给|：.*$/gs, "") : "所有提问人";
  send.textContent = { reply: `发给${all}`, ask: `向${all}追问`, note: "保存备注" }[mode()];
  composer.dataset.mode = mode();
  composer.dataset.one = to?.value ? "1" : "";
}
composer.addEventListener("change", label);
label();

composer.elements.canned?.addEventListener("change", ({ target }) => {
  const text = target.selectedOptions[0].dataset.text;
  target.value = "";
  if (!text) return;
  body.focus();
  const before = body.value.slice(0, body.selectionStart);
  const gap = before && !before.endsWith("\n") ? "\n" : "";
  body.setRangeText(gap + text, body.selectionStart, body.selectionEnd, "end");
  selectBlank(before.length);
  keep(body);
});
function selectBlank(from = 0) {
  const found = BLANK.exec(body.value.slice(from));
  if (!found) return false;
  body.focus();
  body.setSelectionRange(from + found.index, from + found.index + found[0].length);
  return true;
}
function hasBlank(submitter) {
  if (submitter?.formNoValidate || (mode() === "note" && submitter === send) || !selectBlank()) return false;
  tell("还有没填的空，已替你选中。填好或删掉以后再发送。");
  return true;
}
body.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
    event.preventDefault();
    composer.requestSubmit(send);
  }
});
page.addEventListener("click", (event) => {
  const one = event.target.closest("[data-to]");
  if (!one || !to || ![...to.options].some((option) => option.value === one.dataset.to)) return;
  event.preventDefault();
  to.value = one.dataset.to;
  write("reply");
});

function write(wanted) {
  const choice = composer.querySelector(`[name=mode][value=${wanted}]`) ?? composer.querySelector("[name=mode]:checked");
  choice.checked = true;
  label();
  body.focus();
  composer.scrollIntoView({ block: "nearest" });
}

// Keys, never while somebody types.
const press = (selector) => page.querySelector(selector)?.click();
const KEYS = {
  r: () => write("reply"),
  n: () => write("note"),
  a: () => press("[data-mine]"),
  e: () => document.getElementById("article")?.focus(),
  j: () => press("[data-after]"),
  k: () => press("[data-before]"),
  u: () => (page.querySelector("#told [data-undo]") ?? [...page.querySelectorAll("[data-undo]")].at(-1))?.click(),
  "?": () => dialog.showModal(),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented || dialog.open) return;
  const typing = event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");
  if (event.key === "Escape") {
    if (typing) event.target.blur();
    else if (!midway()) press("[data-queue]");
  } else if (!typing && KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});
if (location.hash === "#body") write("reply");

// Who else is here, and what happened meanwhile: one line, and nothing moves until it is asked for.
let touched = Date.now();
for (const kind of ["keydown", "pointermove", "pointerdown", "scroll"]) document.addEventListener(kind, () => (touched = Date.now()), { passive: true });
let timer;
let writing = false;
async function look() {
  clearTimeout(timer);
  timer = setTimeout(look, LOOK_EVERY);
  if (document.hidden || Date.now() - touched > AT_REST) return;
  writing = dirty();
  try {
    const answer = await fetch(`/desk/${number}/watch?seen=${page.dataset.version}&writing=${writing ? 1 : 0}`);
    if (answer.redirected) {
      clearTimeout(timer);
      live.firstElementChild.textContent = "登录已结束。刷新页面重新登录，写的内容会留着。";
      return;
    }
    const { here, news: happened } = await answer.json();
    if (live.firstElementChild.textContent !== here) live.firstElementChild.textContent = here;
    news.hidden = !happened;
    if (happened && news.dataset.text !== happened) {
      news.dataset.text = happened;
      news.textContent = `${happened} · 看新内容`;
    }
  } catch {
    // the next look tries again
  }
}
news.addEventListener("click", async () => {
  const address = new URL(location.href);
  address.hash = "";
  address.search = new URLSearchParams({ since: page.dataset.version, ...(page.dataset.view ? { from: page.dataset.view } : {}) });
  await show(address);
  page.querySelector("#timeline .new")?.scrollIntoView({ block: "center" });
});
page.addEventListener("input", () => dirty() && !writing && look()); // the first word is told at once
document.addEventListener("visibilitychange", () => !document.hidden && look());
look();
