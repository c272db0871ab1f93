// The queue without leaving it: keys, one step for many tickets, and counts that change in place. Rows move only when somebody asks for it.
const EVERY = 15_000;
const REST = 60 * 60 * 1000;
const OFF = "kb-desk-keys-off";

const desk = () => document.querySelector("[data-desk]");
const rows = () => [...document.querySelectorAll("[data-row]")];
const link = (row) => row?.querySelector("a");
const box = (row) => row?.querySelector("input[name=ticket]");
const picked = () => rows().filter((row) => box(row).checked);
const said = () => document.querySelector("[data-said]");
let current = 0;

// --- rows: one of them takes part in the order of Tab, the one that was used last

function rove() {
  const all = rows();
  current = Math.max(0, Math.min(current, all.length - 1));
  all.forEach((row, at) => {
    for (const part of [link(row), box(row)]) part.tabIndex = at === current ? 0 : -1;
  });
}

function go(to) {
  const all = rows();
  if (!all.length) return;
  current = Math.max(0, Math.min(to, all.length - 1));
  rove();
  link(all[current]).focus();
  all[current].scrollIntoView({ block: "nearest" });
}

function count() {
  const many = picked().length;
  const bar = document.querySelector("[data-deeds]");
  const whole = document.querySelector("[data-all]");
  if (!bar) return;
  bar.toggleAttribute("data-idle", !many);
  bar.querySelector("[data-picked]").textContent = many ? `已选 ${many} 张` : "";
  whole.hidden = false;
  whole.checked = many > 0 && many === rows().length;
  whole.indeterminate = many > 0 && !whole.checked;
}

function pick(these) {
  for (const row of rows()) box(row).checked = these(row);
  count();
}

// --- steps and pages: the list is fetched and put in the place of this one, so that the eye stays where it was

async function show(address, options = {}) {
  const row = document.activeElement?.closest("[data-row]")?.dataset.row;
  try {
    const answer = await fetch(address, options);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const list = page.querySelector("[data-desk]");
    if (!list) {
      if (answer.ok) return location.assign(answer.url); // the session has ended: the page to sign in
      return tell(page.querySelector("h1")?.textContent);
    }
    desk().replaceWith(list);
    history.replaceState(null, "", answer.url);
    begin();
    const at = rows().findIndex((one) => one.dataset.row === row);
    if (row) go(at < 0 ? current : at);
  } catch {
    tell("没有连上服务器，什么都没有改。请检查网络后再试一次。");
  }
}

function tell(text) {
  said().replaceChildren(text ?? "这一步没有完成。请刷新后再试。");
}

function send(form, name, value, only) {
  const data = new URLSearchParams(new FormData(form));
  if (only) {
    data.delete("ticket");
    data.append("ticket", box(only).value);
  }
  if (name) data.set(name, value);
  return show(form.action, { method: "POST", body: data });
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-step]")) return;
  event.preventDefault();
  if (event.target.matches("[data-bulk]") && !picked().length) return tell("先勾选工单，再选要做什么。");
  send(event.target, event.submitter?.name, event.submitter?.value);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) pick(() => event.target.checked);
  else if (event.target.matches("[data-narrowing] select")) event.target.form.requestSubmit();
  else if (event.target.matches("input[name=ticket]")) count();
  else if (event.target.matches("[data-keys-on]")) remember(event.target.checked);
});

document.addEventListener("focusin", (event) => {
  const at = rows().indexOf(event.target.closest("[data-row]"));
  if (at >= 0 && at !== current) {
    current = at;
    rove();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-help]")) keys().showModal();
  if (event.target.closest("[data-refresh]")) {
    event.preventDefault();
    show(location.href);
  }
});

// --- keys: single letters, never while somebody types, and not at all for whoever switched them off

const keys = () => document.querySelector("[data-keys]");
let leaving = false;

function remember(on) {
  try {
    if (on) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  } catch {
    // without storage the choice lasts as long as the page
  }
}

function on() {
  return keys().querySelector("[data-keys-on]").checked;
}

const MOVES = {
  j: () => go(document.activeElement?.closest("[data-row]") ? current + 1 : current),
  k: () => go(current - 1),
  o: () => link(rows()[current])?.click(),
  r: () => {
    const to = link(rows()[current]);
    if (to) location.assign(`${to.href}#body`);
  },
  x: () => {
    const row = rows()[current];
    if (row) box(row).click();
  },
  a: () => {
    const form = document.querySelector("[data-bulk]");
    const mine = form?.querySelector("button[name=now]");
    if (mine) send(form, mine.name, mine.value, picked().length ? undefined : rows()[current]);
  },
  n: () => document.querySelector("[data-page=n]")?.click(),
  p: () => document.querySelector("[data-page=p]")?.click(),
  "?": () => keys().showModal(),
  g: () => {
    leaving = true;
    setTimeout(() => (leaving = false), 1500);
  },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || keys()?.open) return;
  const typing = event.target.closest("textarea, select, [contenteditable], input:not([type=checkbox])");
  if (event.key === "Escape") return typing ? typing.blur() : pick(() => false);
  if (typing || !on()) return;
  const view = leaving && document.querySelector(`[data-go][data-letter="${CSS.escape(event.key)}"]`);
  leaving = false;
  const move = view ? () => document.querySelector(`[data-view="${view.dataset.go}"]`).click() : Object.hasOwn(MOVES, event.key) && MOVES[event.key];
  if (!move) return;
  event.preventDefault();
  move();
});

// --- counts: asked for while somebody may be looking, answered with 304 while nothing changes

let tag = "";
let timer;
let touched = Date.now();

function later() {
  clearTimeout(timer);
  if (document.visibilityState === "visible" && Date.now() - touched < REST) timer = setTimeout(look, EVERY * (0.8 + Math.random() * 0.4));
}

async function look() {
  const { address, newest } = desk().dataset;
  try {
    const answer = await fetch(`/desk/counts?since=${newest}&${address}`, { headers: tag ? { "If-None-Match": tag } : {}, redirect: "manual" });
    if (answer.type === "opaqueredirect") return tell(signIn());
    if (answer.status === 200) {
      tag = answer.headers.get("ETag") ?? "";
      live(await answer.json());
    }
  } catch {
    // the next look may reach the server again
  }
  later();
}

function live(found) {
  for (const [view, many] of Object.entries(found.counts)) {
    const place = document.querySelector(`[data-count="${view}"]`);
    if (place.textContent !== String(many)) place.textContent = many;
  }
  const line = document.querySelector("[data-live]");
  if (!found.new) return line.replaceChildren();
  const refresh = Object.assign(document.createElement("a"), { href: location.href, textContent: "刷新" });
  refresh.dataset.refresh = "";
  line.replaceChildren(`有 ${found.new} 张新工单 · `, refresh);
}

function signIn() {
  return Object.assign(document.createElement("a"), { href: `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`, textContent: "登录已结束，重新登录" });
}

for (const sign of ["pointermove", "keydown", "scroll", "visibilitychange"]) {
  document.addEventListener(
    sign,
    () => {
      const rested = Date.now() - touched >= REST;
      touched = Date.now();
      if (sign === "visibilitychange" ? document.visibilityState === "visible" : rested) look();
    },
    { passive: true },
  );
}

// Whoever comes back from a ticket finds its row in focus, and goes on from there.
function comeBack() {
  let number;
  try {
    number = sessionStorage.getItem("kb-desk-row");
    sessionStorage.removeItem("kb-desk-row");
  } catch {
    return; // without storage the list begins at its first row
  }
  const at = rows().findIndex((row) => row.dataset.row === number);
  if (at >= 0) go(at);
}
window.addEventListener("pageshow", (event) => event.persisted && comeBack());

function begin() {
  tag = "";
  document.querySelector("[data-help]").hidden = false;
  try {
    keys().querySelector("[data-keys-on]").checked = !localStorage.getItem(OFF);
  } catch {
    // without storage keys are on
  }
  rove();
  count();
  later();
}

begin();
comeBack();
