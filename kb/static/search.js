// Search as one types, and finished questions sent once. The rules stand in kb/search/intents.py; the server decides, this only says what happened.
const form = document.querySelector("[data-search]");
const box = form.querySelector("input[name=q]");
const results = document.querySelector("[data-results]");
const home = document.querySelector("[data-home]");
const moduleField = form.querySelector("input[name=module]");

const DEBOUNCE = 110;
const REST = 5000;
const LIVE_COMPOSITION = /Android/.test(navigator.userAgent); // Latin keyboards there compose every word; pinyin stays in its own strip

let sequence = 0;
let running = null;
let debounce = 0;
let rest = 0;
let shown = box.value.trim(); // the text whose results are on the page
let wish = { id: newId(), text: shown, sent: shown !== "" }; // a page that arrives with results was asked elsewhere, or is a shared link

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function address(text, extra) {
  const query = new URLSearchParams({ q: text, ...extra });
  const module = moduleField?.value || new URLSearchParams(location.search).get("module");
  if (module) query.set("module", module);
  return `/search?${query}`;
}

// Shows results for `text`; an answer that a newer question has overtaken is dropped.
async function show(text, extra = {}) {
  const mine = ++sequence;
  running?.abort();
  running = new AbortController();
  results.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address(text.slice(0, 2000), { part: "results", ...extra }), { signal: running.signal });
    const html = await answer.text();
    if (mine !== sequence) return false;
    if (!answer.ok) throw new Error(answer.status);
    results.innerHTML = html;
  } catch (error) {
    if (error.name === "AbortError" || mine !== sequence) return false;
    say("暂时连不上。你的问题还在框里，稍后按回车再试。");
  } finally {
    if (mine === sequence) results.removeAttribute("aria-busy");
  }
  shown = text;
  results.hidden = false;
  if (home) home.hidden = true;
  return true;
}

function say(text) {
  const note = document.createElement("p");
  note.className = "note bad";
  note.setAttribute("role", "alert");
  note.textContent = text;
  results.replaceChildren(note);
}

// Sends a finished question. Resolves to whether the server has stored it.
async function finish(trigger, extra = {}) {
  wish.sent = true;
  clearTimeout(rest);
  const body = JSON.stringify({ intent_id: wish.id, query: wish.text, trigger, ...extra });
  try {
    const answer = await fetch("/api/v1/intents", { method: "POST", keepalive: true, headers: { "Content-Type": "application/json" }, body });
    await answer.text();
    return answer.ok;
  } catch {
    return false;
  }
}

function related(one, other) {
  return one.includes(other) || other.includes(one);
}

function typed() {
  const text = box.value.trim();
  clearTimeout(debounce);
  clearTimeout(rest);
  if (text === wish.text) return;
  if (!wish.sent && wish.text && wish.text === shown && text && !related(text, wish.text)) finish("next");
  if (wish.sent && text) wish = { id: newId(), text, sent: false };
  else if (text) wish.text = text;
  if (!text) return clear();
  debounce = setTimeout(() => show(text, { typing: "1" }), DEBOUNCE);
  rest = setTimeout(() => !wish.sent && finish("idle"), REST);
}

function clear() {
  sequence++;
  running?.abort();
  if (!home) return;
  results.hidden = true;
  home.hidden = false;
}

async function submit(trigger) {
  const text = box.value.trim();
  if (!text) return box.focus();
  clearTimeout(debounce);
  clearTimeout(rest);
  if (text !== wish.text) wish = { id: newId(), text, sent: false };
  if (trigger === "enter" && wish.sent && shown === text && results.querySelector(".receipt")) return;
  const stored = await finish(trigger);
  await show(text, stored ? { i: wish.id } : {});
  if (stored) history.pushState(null, "", address(text.slice(0, 400), { i: wish.id }));
  else {
    wish.sent = false;
    const note = document.createElement("p");
    note.className = "note bad";
    note.setAttribute("role", "alert");
    note.textContent = "没能记下这个问题。检查网络后再按一次回车。";
    results.prepend(note);
  }
  results.querySelector(".receipt")?.scrollIntoView({ block: "nearest" });
}

box.addEventListener("input", (event) => {
  if (!event.isComposing || LIVE_COMPOSITION) typed();
});
box.addEventListener("compositionend", typed);
box.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "ArrowDown") {
    const first = results.querySelector("[data-hit]");
    if (first && !results.hidden) {
      event.preventDefault();
      first.focus();
    }
  } else if (event.key === "Escape" && box.value) {
    event.preventDefault();
    box.value = "";
    typed();
  }
});
box.addEventListener("blur", () => setTimeout(() => !wish.sent && wish.text && document.activeElement !== box && finish("leave"), 400));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit("enter");
});

results.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-unsolved]")) return;
  event.preventDefault();
  submit("unsolved");
});

results.addEventListener("click", (event) => {
  const hit = event.target.closest("[data-hit]");
  if (!hit) return;
  try {
    sessionStorage.setItem("kb-question", wish.text);
  } catch {
    // a browser that keeps nothing only loses the prefilled question
  }
  if (wish.text) finish("open", { opened: hit.dataset.hit, rank: Number(hit.dataset.rank) });
});

results.addEventListener("keydown", (event) => {
  const hits = [...results.querySelectorAll("[data-hit]")];
  const at = hits.indexOf(document.activeElement);
  if (at < 0) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    (hits[at + step] ?? (step < 0 ? box : hits[at])).focus();
  } else if (event.key === "Escape") {
    event.preventDefault();
    box.focus();
  }
});

addEventListener("pagehide", () => !wish.sent && wish.text && finish("leave"));
addEventListener("popstate", () => location.reload());
