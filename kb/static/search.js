// Search as one types, and finished questions sent once. When a question is one stands in intents.js; this shows and sends what follows.
import { begin, step } from "./intents.js";

const form = document.querySelector("[data-search]");
const box = form.querySelector("input[name=q]");
const results = document.querySelector("[data-results]");
const status = document.querySelector("[data-status]");
const home = document.querySelector("[data-home]");

let [sequence, running] = [0, null]; // of searches: how many began, which is under way
let loaded = location.search; // what the address says of the results on the page
let shown = results.hidden ? "" : box.value.trim(); // the text whose results are on the page
let state = begin({ newId, text: shown, live: /Android/.test(navigator.userAgent), together: true }); // on Android pinyin stays in its own strip
let timer = 0;

// Tells the rule what happened and does what follows from it.
function tell(event) {
  const at = performance.now();
  const next = step(state, event, at);
  state = next.state;
  for (const effect of next.effects) carry(effect, at);
}

function carry({ search, typing, clear, send, told, wake }, at) {
  if (search) show(search, typing ? { typing: "1" } : {});
  else if (clear) blank();
  else if (send) finish(send);
  else if (told) conclude(told);
  else {
    clearTimeout(timer);
    if (wake !== null) timer = setTimeout(tell, wake - at, { type: "tick" });
  }
}

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

const FORM_TOKEN = /name="csrf_token" value="[^"]*"/g; // another one each second
let rendered = "";

// Shows results for `text`. Resolves to whether they came; to null when a newer question has overtaken this one.
async function show(text, extra = {}) {
  const mine = ++sequence;
  running?.abort();
  running = new AbortController();
  results.setAttribute("aria-busy", "true");
  let came = false;
  try {
    const answer = await fetch(address(text, { part: "results", ...extra }), { signal: running.signal });
    const html = await answer.text();
    if (mine !== sequence) return null;
    if (!answer.ok) throw new Error(answer.status);
    const says = html.replace(FORM_TOKEN, "");
    if (says !== rendered) results.innerHTML = html; // what says the same stays, with what somebody has pressed in it meanwhile
    rendered = says;
    came = true;
  } catch {
    if (mine !== sequence) return null;
    rendered = "";
    tell({ type: "lost" });
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
function receiptOf({ verdict, ticket, expected }, intent_id) {
  const path = new URL(ticket.url, location.href).pathname;
  const { answer } = ticket;
  const others = ticket.others > 0 ? `另有 ${ticket.others} 位同事在等${answer ? "" : "同一个答案"}。` : "";
  const next = answer ? "你的问题也已记下，有新的回复会提醒你。" : `${expected ? `${expected.words}。` : ""}有人回复后，这里和“我的提问”会提醒你。`;
  const words = make("p", {}, others + next);
  const undo = make("button", { className: "link", type: "button" }, "撤销");
  const actions = make("div", { className: "actions" }, make("a", { href: answer ? path : `${path}#details` }, answer ? "已解决，或者仍未解决" : "补充说明"), undo);
  undo.onclick = () => withdraw(words, actions, path.split("/").pop(), intent_id);
  const title = answer ? answer.words : `${verdict === "unanswered" ? "还没有答案，" : ""}已替你记下`;
  const given = answer ? [answer.text && make("p", { className: "text" }, answer.text), answer.url && make("p", {}, make("a", { href: answer.url }, "看这篇文章"))] : [];
  return make("section", { className: "receipt" }, make("h2", { className: "plain" }, `${title}（T-${ticket.number}）`), ...given.filter(Boolean), words, actions);
}

// Takes a question back where its receipt stands, and offers it again in the same place.
async function withdraw(words, actions, token, intent_id) {
  const before = words.textContent;
  const more = words.parentElement.querySelector("details"); // how to say that the answer was none
  const [done, why] = await act(token, "withdraw", "没能撤销，请检查网络后再点一次。");
  words.textContent = status.textContent = done ? "你已撤销这个提问，不会再有提醒。" : why;
  if (!done) return;
  if (more) more.hidden = true;
  tell({ type: "withdrawn", intent_id });
  const again = make("button", { className: "link", type: "button" }, "恢复");
  const offered = make("div", { className: "actions" }, again);
  actions.replaceWith(offered);
  again.focus();
  again.onclick = async () => {
    const [restored, problem] = await act(token, "rejoin", "没能恢复，请检查网络后再点一次。");
    words.textContent = restored ? before : problem;
    status.textContent = restored ? "已恢复。" : problem;
    if (!restored) return;
    if (more) more.hidden = false;
    offered.replaceWith(actions);
    actions.querySelector("button").focus();
  };
}

// Resolves to whether it was done, and in which words it was refused.
function act(token, action, lost) {
  const said = ({ ok, text }) => [ok, ok ? "" : JSON.parse(text).error.message];
  return post(`/api/v1/tickets/${token}/${action}`, {}).then(said).catch(() => [false, lost]);
}

async function post(url, body) {
  const answer = await fetch(url, { method: "POST", keepalive: true, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return { ok: answer.ok, status: answer.status, text: await answer.text() };
}

async function finish(question) {
  const refused = ({ status }) => ({ type: "failed", question, taken: status === 409 });
  const stored = ({ text }) => ({ type: "stored", question, said: JSON.parse(text) });
  tell(await post("/api/v1/intents", question).then((answer) => (answer.ok ? stored(answer) : refused(answer))).catch(refused)); // without network: as refused
}

// Shows the results once more with what became of the question.
async function conclude({ intent_id, query, said }) {
  const came = await show(query, said ? { i: intent_id } : {});
  if (came === null || state.text !== query) return; // typed on meanwhile
  if (!said) rendered = "";
  if (!said) return results.prepend(make("p", { className: "note bad", role: "alert" }, "没能记下这个问题。检查网络后再按一次回车。"));
  if (said.ticket && !results.querySelector(".receipt")) {
    rendered = "";
    results.querySelectorAll(".hint, [data-unsolved]").forEach((offer) => offer.remove());
    results.prepend(receiptOf(said, intent_id));
    announce();
  }
  results.querySelector(".receipt")?.scrollIntoView({ block: "nearest" });
  const url = address(query.slice(0, 400), { i: intent_id });
  if (came && url !== `/search${loaded}`) history.pushState(null, "", url);
  loaded = location.search;
}

function blank() {
  sequence++;
  running?.abort();
  running = null;
  results.removeAttribute("aria-busy");
  status.textContent = "";
  reveal(false);
}

box.addEventListener("compositionstart", tell);
box.addEventListener("compositionend", () => tell({ type: "compositionend", text: box.value }));
box.addEventListener("input", (event) => tell({ type: "input", text: box.value, composing: event.isComposing }));
box.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return;
  const first = !results.hidden && results.querySelector("[data-hit]");
  if (event.key === "ArrowDown" && first) {
    event.preventDefault();
    first.focus();
  } else if (event.key === "Escape" && box.value) {
    event.preventDefault();
    box.value = "";
    tell({ type: "input", text: "" });
  }
});
box.addEventListener("blur", () => document.activeElement !== box && tell({ type: "blur" })); // in a window that is left the box stays active
box.addEventListener("focus", tell);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!box.value.trim()) box.focus();
  tell({ type: "enter", text: box.value });
});

results.addEventListener("submit", (event) => {
  const undo = event.target.closest("[data-withdraw]");
  if (undo) {
    event.preventDefault();
    const token = new URL(undo.action).pathname.split("/").at(-2);
    const intent_id = new URLSearchParams(location.search).get("i");
    return withdraw(undo.closest(".receipt").querySelector("[data-waits]"), undo.parentElement, token, intent_id);
  }
  if (!event.target.matches("[data-unsolved]")) return;
  event.preventDefault();
  const text = event.target.elements.q.value; // what these results answer, whatever became of the box
  box.value ||= text;
  tell({ type: "unsolved", text });
});

results.addEventListener("click", (event) => {
  const example = event.target.closest("[data-example]");
  if (example && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    box.value = example.textContent;
    tell({ type: "enter", text: box.value });
    return;
  }
  const hit = event.target.closest("[data-hit]");
  if (!hit) return;
  try {
    sessionStorage.setItem("kb-question", shown);
  } catch {
    // a browser that keeps nothing only loses the prefilled question
  }
  tell({ type: "open", text: shown, opened: hit.dataset.hit, rank: Number(hit.dataset.rank) });
});

results.addEventListener("keydown", (event) => {
  const hits = [...results.querySelectorAll("[data-hit]")];
  const at = hits.indexOf(document.activeElement);
  const to = { ArrowDown: hits[at + 1] ?? hits[at], ArrowUp: hits[at - 1] ?? box, Escape: box }[event.key];
  if (at < 0 || !to) return;
  event.preventDefault();
  to.focus();
});

addEventListener("pagehide", () => tell({ type: "leave" }));
addEventListener("popstate", () => location.search !== loaded && location.reload()); // a jump inside the page changes only the fragment
