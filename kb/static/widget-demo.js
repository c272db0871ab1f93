/* The demo's own script. It stands for a host application's: all it knows of the widget is kb() and the public API, and it works when the widget is not there. */

// Calls made before the widget's script has run are kept and carried out then.
window.kb = window.kb || function () { (window.kb.q = window.kb.q || []).push(arguments); };

const PAUSE = 250; // ms without a key before the page's own list is asked for
const EVENTS = ["open", "close", "search", "answered", "unanswered", "ticket"];

const find = (selector) => document.querySelector(selector);
document.querySelectorAll("[data-scripted]").forEach((part) => { part.hidden = false; });

// An error code of the page's own

find("[data-upload]").addEventListener("click", () => {
  find("[data-wrong]").textContent = "上传失败（invoice.upload.failed）";
  kb("suggest", { context: "invoice.upload.failed" });
});

// A list of the page's own

const own = find("[data-own]"), found = find("[data-found]");
let pause, latest = new AbortController();

own.addEventListener("submit", (event) => {
  event.preventDefault();
  kb("search", own.elements.question.value);
});
own.addEventListener("input", (event) => {
  if (event.isComposing) return;
  clearTimeout(pause);
  pause = setTimeout(ask, PAUSE);
});
own.addEventListener("compositionend", () => {
  clearTimeout(pause);
  pause = setTimeout(ask, PAUSE);
});

async function ask() {
  latest.abort();
  latest = new AbortController();
  const text = own.elements.question.value.trim();
  if (!text) return found.replaceChildren();
  try {
    const answer = await fetch(`/api/v1/search?${new URLSearchParams({ q: text, limit: 5, typing: 1 })}`, { credentials: "omit", signal: latest.signal });
    if (!answer.ok) throw new Error(answer.status);
    const { hits } = await answer.json();
    found.replaceChildren(...(hits.length ? hits.map(itemOf) : [said("没有找到。按“在面板里打开”，可以把问题留下。")]));
  } catch (error) {
    if (error.name !== "AbortError") found.replaceChildren(said("现在查不到，请稍后再试。"));
  }
}

function itemOf(hit) {
  const item = document.createElement("li"), link = document.createElement("a");
  link.href = hit.url;
  link.textContent = hit.heading || hit.title;
  item.append(link);
  return item;
}

function said(words) {
  const item = document.createElement("li");
  item.textContent = words;
  return item;
}

// What the widget tells the page

const log = find("[data-log]");

for (const name of EVENTS) kb("on", name, (detail) => note(name, detail));

function note(name, detail) {
  const line = said(`${name} ${JSON.stringify(detail)}`);
  if (log.dataset.used) log.append(line);
  else log.replaceChildren(line);
  log.dataset.used = "yes";
}

// Options: the same address that the form would open, without loading the page again

const options = find("[data-options]"), snippet = find("[data-snippet]");

options.addEventListener("submit", async (event) => {
  event.preventDefault();
  const chosen = Object.fromEntries(new FormData(options)), address = `?${new URLSearchParams(chosen)}`;
  const answer = await fetch(address, { credentials: "omit" }).catch(() => null);
  if (!answer || !answer.ok) return location.assign(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  snippet.textContent = page.querySelector("[data-snippet]").textContent;
  history.replaceState(null, "", address);
  delete chosen.css; // this page's own
  kb("init", chosen);
});

find("[data-copy]").addEventListener("click", async () => {
  const words = find("[data-copied]");
  try {
    await navigator.clipboard.writeText(snippet.textContent);
    words.textContent = "已复制";
  } catch {
    getSelection().selectAllChildren(snippet);
    words.textContent = "已选中，按 Ctrl+C 复制";
  }
});
