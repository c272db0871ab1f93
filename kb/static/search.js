// Search as one types, and finished questions sent once. The rules stand in kb/search/intents.py; the server decides, this only says what happened.
const form = document.querySelector("[data-search]");
const box = form.querySelector("input[name=q]");
const results = document.querySelector("[data-results]");
const status = document.querySelector("[data-status]");
const home = document.querySelector("[data-home]");

const [DEBOUNCE, REST] = [110, 5000]; // ms
const KEPT = 2000; // characters of a question that the server keeps; browsers refuse keepalive bodies over 64 KiB
const LIVE_COMPOSITION = /Android/.test(navigator.userAgent); // Latin keyboards there compose every word; pinyin stays in its own strip

let [sequence, running] = [0, null]; // of searches: how many began, which is under way
let [debounce, rest, composing] = [0, 0, false];
let loaded = location.search; // what the address says of the results on the page
let shown = box.value.trim(); // the text whose results are on the page
// One wish, however many keystrokes. `text`: its wording now; `fullest`: the longest that was searched; `before`: what was sent under the wish before it.
let wish = { id: newId(), text: shown, fullest: "", before: "", sent: shown !== "" }; // a page that arrives with results was asked elsewhere, or is a shared link
const owed = []; // sends of earlier wishes that failed: the next trigger repeats them

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function address(text, extra) {
  const query = new URLSearchParams({ q: text, ...extra });
  const module = form.elements.module?.value || new URLSearchParams(location.search).get("module");
  if (module) query.set("module", module);
  return `/search?${query}`;
}

function make(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

let rendered = "";

// Shows results for `text`. Resolves to whether they came; to null when a newer question has overtaken this one.
async function show(text, extra = {}) {
  const mine = ++sequence;
  if (!composing) note(text);
  running?.abort();
  running = new AbortController();
  results.setAttribute("aria-busy", "true");
  let came = false;
  try {
    const answer = await fetch(address(text.slice(0, KEPT), { part: "results", ...extra }), { signal: running.signal });
    const html = await answer.text();
    if (mine !== sequence) return null;
    if (!answer.ok) throw new Error(answer.status);
    if (html !== rendered) results.innerHTML = html; // what says the same stays, with what somebody has pressed in it meanwhile
    rendered = html;
    came = true;
  } catch {
    if (mine !== sequence) return null;
    rendered = "";
    results.replaceChildren(make("p", { className: "note bad", role: "alert" }, "暂时连不上。你的问题还在框里，稍后按回车再试。"));
  }
  running = null;
  results.removeAttribute("aria-busy");
  shown = came ? text : "";
  reveal(true);
  announce();
  return came;
}

function reveal(found) {
  if (home) [results.hidden, home.hidden] = [!found, found];
}

// Says once what has changed. A live region that arrives with the results would often stay silent, so this one stands beside them.
function announce() {
  const summary = results.querySelector("[data-summary]");
  const receipt = results.querySelector(".receipt");
  receipt?.removeAttribute("role");
  status.textContent = [receipt?.querySelector("h2"), summary].filter(Boolean).map((node) => node.textContent).join("。");
  summary?.remove();
}

// Builds templates/search/receipt.html from the API's answer: where cookies are blocked the results page cannot know whose question it was.
function receiptOf({ verdict, ticket }) {
  const path = new URL(ticket.url, location.href).pathname;
  const others = ticket.followers > 1 ? `另有 ${ticket.followers - 1} 位同事在等同一个答案。` : "";
  const words = make("p", {}, `${others}有人回复后，这里和“我的提问”会提醒你。`);
  const undo = make("button", { className: "link", type: "button" }, "撤销");
  const actions = make("div", { className: "actions" }, make("a", { href: `${path}#details` }, "补充说明"), undo);
  undo.onclick = async () => {
    const done = await post(`/api/v1/tickets/${path.split("/").pop()}/withdraw`, {}).then(({ ok }) => ok, () => false);
    words.textContent = status.textContent = done ? "你已撤销这个提问，不会再有提醒。" : "没能撤销，请检查网络后再点一次。";
    if (done) actions.remove();
  };
  const title = `${verdict === "unanswered" ? "还没有答案，" : ""}已替你记下（T-${ticket.number}）`;
  return make("section", { className: "receipt" }, make("h2", { className: "plain" }, title), words, actions);
}

async function post(url, body) {
  const answer = await fetch(url, { method: "POST", keepalive: true, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return { ok: answer.ok, status: answer.status, text: await answer.text() };
}

// Sends a finished question. Resolves to the server's answer once it is stored; to null when that failed, and the wish counts as unsent again.
async function finish(trigger, text, extra = {}, mine = wish) {
  for (const late of owed.splice(0)) finish(...late);
  mine.sent = true;
  mine.asked = text;
  try {
    for (let attempt = 0; attempt < 2; attempt++) {
      const answer = await post("/api/v1/intents", { intent_id: mine.id, query: text.slice(0, KEPT), trigger, ...extra });
      if (answer.ok) {
        mine.stored = text;
        return JSON.parse(answer.text);
      }
      if (answer.status !== 409) break;
      mine.id = newId(); // the id belongs to another person by now
    }
  } catch {
    // without network: as refused
  }
  mine.sent = mine.stored === text;
  if (mine === wish || mine.sent) return null;
  if (wish.sent || !related(text, wish.text || wish.fullest)) owed.push([trigger, text, extra, mine]);
  else [wish.before, wish.fullest] = ["", wish.fullest || text]; // the same in other words, still to be sent
  return null;
}

// Tells whether two wordings are one wish being typed or corrected: one holds the other, or they differ only in the middle.
function related(one, other) {
  const least = Math.min(one.length, other.length);
  let [head, tail] = [0, 0];
  while (head < least && one[head] === other[head]) head++;
  while (head + tail < least && one.at(-1 - tail) === other.at(-1 - tail)) tail++;
  return one.includes(other) || other.includes(one) || head + tail >= 0.3 * (one.length + other.length);
}

// Takes `text` for what is wished now: the same wish in other words, or a new one. What a new one replaces is sent.
function heed(text) {
  if (text === wish.text) return;
  const other = !wish.sent && wish.fullest && !related(text, wish.fullest);
  if (other && wish.fullest.length > 1) finish("next", wish.fullest);
  if (other || wish.sent) wish = { id: newId(), text, fullest: "", before: wish.asked ?? wish.text, sent: false };
  else wish.text = text;
}

// Notes a wording that was searched. One that only shortens the question sent before is that question being deleted.
function note(text) {
  if (!wish.sent && text.length > wish.fullest.length && !wish.before.includes(text)) wish.fullest = text;
}

// Sends what was left standing: the wording in the box, or the fullest of those that were deleted from it.
function leave() {
  for (const late of owed.splice(0)) finish(...late);
  if (wish.text) note(wish.text);
  if (!wish.sent && wish.fullest) finish("leave", wish.text.length > 1 ? wish.text : wish.fullest);
}

async function submit(trigger, text) {
  if (!text) return box.focus();
  [debounce, rest].forEach(clearTimeout);
  heed(text);
  const mine = wish;
  if (trigger === "enter" && mine.sent && shown === text && !results.hidden && results.querySelector(".receipt")) return;
  const said = await finish(trigger, text);
  if (mine !== wish) return; // typed on meanwhile
  const came = await show(text, said ? { i: mine.id } : {});
  if (came === null || mine !== wish) return;
  if (!said) rendered = "";
  if (!said) return results.prepend(make("p", { className: "note bad", role: "alert" }, "没能记下这个问题。检查网络后再按一次回车。"));
  if (said.ticket && !results.querySelector(".receipt")) {
    rendered = "";
    results.querySelectorAll(".hint, [data-unsolved]").forEach((offer) => offer.remove());
    results.prepend(receiptOf(said));
    announce();
  }
  results.querySelector(".receipt")?.scrollIntoView({ block: "nearest" });
  const url = address(text.slice(0, 400), { i: mine.id });
  if (came && url !== `/search${loaded}`) history.pushState(null, "", url);
  loaded = location.search;
}

function typed() {
  [debounce, rest].forEach(clearTimeout);
  const text = box.value.trim();
  if (!text) return clear();
  heed(text);
  if (text === shown) note(text); // searched while it was composed
  if (text === shown && !running) reveal(true);
  else debounce = setTimeout(show, DEBOUNCE, text, { typing: "1" });
  rest = setTimeout(() => !wish.sent && wish.text !== wish.before && finish("idle", wish.text), REST);
}

function clear() {
  if (!wish.sent) wish.text = "";
  sequence++;
  running?.abort();
  running = null;
  results.removeAttribute("aria-busy");
  status.textContent = "";
  reveal(false);
}

box.addEventListener("compositionstart", () => {
  composing = true;
  [debounce, rest].forEach(clearTimeout);
});
box.addEventListener("compositionend", () => {
  composing = false;
  typed();
});
box.addEventListener("input", (event) => {
  if (!event.isComposing) return typed();
  clearTimeout(debounce);
  const text = box.value.trim();
  if (LIVE_COMPOSITION && text) debounce = setTimeout(show, DEBOUNCE, text, { typing: "1" });
});
box.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return;
  const first = !results.hidden && results.querySelector("[data-hit]");
  if (event.key === "ArrowDown" && first) {
    event.preventDefault();
    first.focus();
  } else if (event.key === "Escape" && box.value) {
    event.preventDefault();
    box.value = "";
    typed();
  }
});
box.addEventListener("blur", () => setTimeout(() => !composing && document.activeElement !== box && leave(), 400));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (composing && !LIVE_COMPOSITION) return; // an Enter that an input method let through
  submit("enter", box.value.trim());
});

results.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-unsolved]")) return;
  event.preventDefault();
  const text = event.target.elements.q.value.trim(); // what these results answer, whatever became of the box
  box.value ||= text;
  submit("unsolved", text);
});

results.addEventListener("click", (event) => {
  const example = event.target.closest("[data-example]");
  if (example && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    box.value = example.textContent;
    submit("enter", box.value);
    return;
  }
  const hit = event.target.closest("[data-hit]");
  const text = wish.text || shown;
  if (!hit || !text) return;
  try {
    sessionStorage.setItem("kb-question", text);
  } catch {
    // a browser that keeps nothing only loses the prefilled question
  }
  finish("open", text, { opened: hit.dataset.hit, rank: Number(hit.dataset.rank) });
});

results.addEventListener("keydown", (event) => {
  const hits = [...results.querySelectorAll("[data-hit]")];
  const at = hits.indexOf(document.activeElement);
  const to = { ArrowDown: hits[at + 1] ?? hits[at], ArrowUp: hits[at - 1] ?? box, Escape: box }[event.key];
  if (at < 0 || !to) return;
  event.preventDefault();
  to.focus();
});

addEventListener("pagehide", leave);
addEventListener("popstate", () => location.search !== loaded && location.reload()); // a jump inside the page changes only the fragment
