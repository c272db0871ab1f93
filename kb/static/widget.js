/* Zhida 知答 help widget: <script src="https://HOST/widget/v1.js" defer></script>
   Options on the tag: data-label, data-position (right|left), data-module, data-theme (auto|light|dark).
   From the page: kb("open"), kb("close"), kb("toggle"), kb("search", text), kb("destroy").
   Promises: one node in the host page, no request before first use, no style in or out, nothing thrown.
   Served behind intents.js in one function (kb/widget/pages.py): `begin` and `step` are that file's. */

const SLOW = 400, PATIENCE = 8000; // ms
const SEARCHED = 400; // characters the server reads of a search
const OFFLINE = "暂时连不上帮助中心，请稍后再试。";
const EMPTY = "再多说几个字，比如“发票查验失败”";
const LIMITED = "这一小时记下的问题太多了，请稍后再试，急用请直接联系财务支持。";
const UNSOLVED = "没找到？记下我的问题";

const DARK = "--bg:#1a1e20;--ink:#e4e8e9;--soft:#a3adb1;--line:#363d40;--accent:#8fc1d8;--on:#10202a;--mark:#27434f;--tint:#22282b;color-scheme:dark";
const CSS = `
:host{all:initial!important;display:contents!important;direction:ltr!important}
*,::before,::after{box-sizing:border-box}
[hidden]{display:none!important}
.root{--bg:#fdfdfc;--ink:#1d2427;--soft:#586368;--line:#dde2e4;--accent:#1f5f7a;--on:#fff;--mark:#d9eaf2;--tint:#f3f6f7;color-scheme:light;
  font:15px/1.7 -apple-system,"Segoe UI","PingFang SC","HarmonyOS Sans SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;
  color:var(--ink);text-align:left;overflow-wrap:anywhere;-webkit-text-size-adjust:100%}
.root[data-theme=dark]{${DARK}}
@media (prefers-color-scheme:dark){.root[data-theme=auto]{${DARK}}}
button,input{font:inherit;color:inherit;margin:0;border:1px solid var(--line);border-radius:6px;background:none}
button{cursor:pointer;padding:4px 12px;min-height:36px}
button:hover{border-color:var(--accent);color:var(--accent)}
a{color:var(--accent)}
a,.quiet{text-underline-offset:.2em;text-decoration-thickness:1px}
:focus{outline:0}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.launch,.panel{position:fixed;z-index:2147483000;right:calc(20px + env(safe-area-inset-right,0px));bottom:calc(20px + env(safe-area-inset-bottom,0px))}
.left>*{right:auto;left:calc(20px + env(safe-area-inset-left,0px))}
.launch,.launch:hover{min-height:44px;max-width:60vw;padding:8px 20px;border-radius:22px;background:var(--accent);border-color:var(--accent);color:var(--on);
  overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.panel{display:flex;flex-direction:column;width:420px;max-width:calc(100vw - 40px);height:620px;max-height:calc(100vh - 40px);overflow:hidden;
  background:var(--bg);border:1px solid var(--line);border-radius:10px;box-shadow:0 8px 28px rgba(16,32,42,.16)}
.bar{display:flex;gap:8px;padding:12px;border-bottom:1px solid var(--line)}
.bar *{min-height:44px;padding:8px}
.bar button:not(:hover){color:var(--soft);text-decoration:none}
input{flex:1;min-width:0;font-size:16px;border-color:var(--soft);-webkit-appearance:none;appearance:none}
input:focus{border-color:var(--accent);outline:1px solid var(--accent);outline-offset:0}
input::placeholder{color:var(--soft);opacity:1}
input::-webkit-search-cancel-button{display:none}
.body{flex:1;overflow-y:auto;overscroll-behavior:contain;padding:16px}
.end{display:flex;justify-content:space-between;padding:8px 16px calc(8px + env(safe-area-inset-bottom,0px));border-top:1px solid var(--line)}
p{margin:0 0 .7em}
h2{margin:2px 0 10px;font-size:17px;font-weight:600;line-height:1.5}
.soft,.cut{color:var(--soft);font-size:13px;margin:0}
.note{margin:0 0 12px;padding:10px 12px;background:var(--tint);border-left:2px solid var(--accent)}
.note p{margin:0}
.ask .note{width:100%;margin:0}
.note a{margin-right:20px}
.quiet{padding:4px 0;border:0;color:var(--accent);text-decoration:underline}
.text h3,.text h4,.text h5{font-size:1em;margin:1em 0 .4em}
ul,ol{margin:0 0 .7em;padding-left:1.5em}
img{max-width:100%;height:auto}
blockquote{margin:0 0 .7em;padding-left:12px;border-left:2px solid var(--line)}
pre,code{font:.9em/1.6 ui-monospace,Consolas,monospace}
pre,.wide{overflow-x:auto;margin:0 0 .7em}
table{border-collapse:collapse;font-size:14px;line-height:1.6}
th,td{min-width:5em;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
.ask{display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:12px 0 20px}
.ask,.foot,.hits li{padding-top:10px;border-top:1px solid var(--line)}
.hits{list-style:none;margin:4px 0 0;padding:0}
.hits li{position:relative;padding-bottom:10px}
.hits a{font-weight:600;text-decoration:none;margin-right:.6em}
.hits a::after{content:"";position:absolute;top:0;right:-8px;bottom:0;left:-8px;border-radius:6px}
.hits .soft{display:inline-block}
.hits a:hover{text-decoration:underline}
.hits a:focus-visible{outline:0}
.hits a:focus-visible::after{outline:2px solid var(--accent);outline-offset:-2px}
.cut{font-size:14px;line-height:1.65}
mark{background:var(--mark);color:var(--ink)}
.unseen{position:absolute;width:1px;height:1px;margin:-1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:479.98px){
  .panel{top:0;right:0;bottom:0;left:0;width:auto;height:auto;max-width:none;max-height:none;border:0;border-radius:0;padding-top:env(safe-area-inset-top,0px)}
  .keys{visibility:hidden}
  button{min-height:44px}
}
@media (prefers-reduced-motion:no-preference){.panel{animation:rise .14s ease-out}@keyframes rise{from{opacity:0;transform:translateY(6px)}}}
@media (forced-colors:active){.note{border:1px solid}mark{forced-color-adjust:none;background:Mark;color:MarkText}}
@media print{.root{display:none}}`;

function warn(...words) {
  console.warn("[zhida]", ...words);
}

/* Wraps a handler so that nothing of ours surfaces in the host page. */
const safely = (action) => (...given) => {
  try { return action(...given); } catch (error) { return warn(error); }
};

/* Makes an element. An attribute that is a function listens to the event of that name; attributes and children that are null or false are left out. */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, safely(value));
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  return fill(node, ...children);
}

function fill(node, ...children) {
  node.textContent = "";
  node.append(...children.filter((child) => child));
  return node;
}

/* Returns 32 random hexadecimal digits. Not crypto.randomUUID: it is missing on intranets without TLS. */
function random() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/* Returns an absolute address, or null for one that must not be followed. */
function address(target, from) {
  try {
    const url = new URL(target, from);
    return /^(https?|mailto|tel):$/.test(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

let policy = null; // made once: a page that allows our policy refuses a second of its name

/* Returns the server's HTML as nodes. The server has sanitised it; the host page should not need to trust that: no scripts, no attributes but these. */
function nodes(html, from) {
  const out = document.createDocumentFragment();
  try {
    policy = policy || (window.trustedTypes ? trustedTypes.createPolicy("zhida", { createHTML: (text) => text }) : { createHTML: String });
    const parsed = new DOMParser().parseFromString(policy.createHTML(html), "text/html").body;
    parsed.querySelectorAll("script,style,link,meta,base,template,iframe,object,embed,form,input,button,svg,math").forEach((node) => node.remove());
    for (const node of parsed.querySelectorAll("*")) {
      for (const { name, value } of Array.from(node.attributes)) {
        const kept = /^(href|src)$/.test(name) ? address(value, from) : /^(alt|title|start|colspan|rowspan)$/.test(name) ? value : null;
        if (kept === null) node.removeAttribute(name);
        else node.setAttribute(name, kept);
      }
      if (node.localName === "a") Object.assign(node, { target: "_blank", rel: "noopener noreferrer" });
      if (node.localName === "table") {
        const wide = el("div", { class: "wide", tabindex: 0, role: "group", "aria-label": "表格" });
        node.replaceWith(wide);
        wide.append(node);
      }
    }
    out.append(...parsed.childNodes);
  } catch { // Trusted Types without our policy: the words
    out.append(html.replace(/<[^>]*>/g, ""));
  }
  return out;
}

/* Sends and returns JSON. Rejects when the network or the server fails or takes too long; `status` is on the error. */
async function request(url, options, stop = new AbortController()) {
  const late = setTimeout(() => stop.abort(), PATIENCE);
  try {
    const response = await fetch(url, { credentials: "omit", signal: stop.signal, ...options });
    const data = await response.json();
    if (response.ok) return data;
    throw Object.assign(new Error(`${url.split("?")[0]} ${response.status} ${JSON.stringify(data)}`), { status: response.status });
  } finally {
    clearTimeout(late);
  }
}

function post(url, body) {
  return request(url, { method: "POST", keepalive: true, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

let known = "";

/* Returns who asks: one random id for this browser, or for this page where nothing can be stored. */
function visitor() {
  try {
    known = localStorage.getItem("kb-visitor") || known || random();
    localStorage.setItem("kb-visitor", known);
  } catch {
    known = known || random();
  }
  return known;
}

function start(script) {
  const base = new URL(script.src).origin, api = `${base}/api/v1`;
  const label = script.dataset.label || "帮助";

  let panel, input, body, status; // built at the first opening
  let state = begin({ newId: random, live: /Android/.test(navigator.userAgent) });
  let timer, latest = new AbortController();
  let asked = ""; // the text whose results are on screen, or on their way
  let receipt = null; // {text, node, ticket} of the last finished question that has something to say
  let place = null; // where it is shown, when not on top
  let back = null; // what had the focus before the panel

  const launch = el("button", { class: "launch", type: "button", "aria-haspopup": "dialog", "aria-expanded": "false", click: toggle }, label);
  const root = el("div", { class: oneOf("position", "right", "left"), lang: "zh-CN", role: "region", "aria-label": label }, launch);
  root.classList.add("root");
  root.dataset.theme = oneOf("theme", "auto", "light", "dark");
  const host = document.createElement("zhida-help");
  const shadow = host.attachShadow({ mode: "open" });
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    shadow.adoptedStyleSheets = [sheet];
  } catch {
    shadow.append(el("style", { nonce: script.nonce }, CSS));
  }
  shadow.append(root);
  // The page's shortcuts and focus guards would take our box for a plain element: what is typed here stays here.
  for (const type of ["keydown", "keypress", "keyup", "input", "paste", "focusin", "focusout"]) {
    shadow.addEventListener(type, (event) => event.stopPropagation());
  }
  const leave = safely(() => tell({ type: "leave" }));
  window.addEventListener("pagehide", leave);
  document.body.append(host);

  function oneOf(name, ...allowed) {
    const value = script.dataset[name] || allowed[0];
    if (allowed.includes(value)) return value;
    warn(`data-${name}="${value}" must be one of ${allowed.join(", ")}`);
    return allowed[0];
  }

  // What happens and what follows

  function tell(event) {
    const at = performance.now(), next = step(state, event, at);
    state = next.state;
    for (const effect of next.effects) carry(effect, at);
  }

  function carry({ search: text, typing, clear, send, told, wake }, at) {
    if (text) search(text, typing);
    else if (clear) blank();
    else if (send) post(`${api}/intents`, { ...send, visitor: visitor() }).then(
      safely((said) => tell({ type: "stored", question: send, said })),
      safely((error) => {
        warn(error);
        tell({ type: "failed", question: send, taken: error.status === 409 });
      }));
    else if (told) conclude(told);
    else {
      clearTimeout(timer);
      if (wake !== null) timer = setTimeout(safely(() => tell({ type: "tick" })), wake - at);
    }
  }

  /* Takes what is in the box as it stands, without waiting for another key. */
  function look() {
    tell({ type: "input", text: input.value, ready: true });
  }

  // The panel

  function build() {
    input = el("input", {
      type: "search", enterkeyhint: "search", "aria-label": "搜索帮助", placeholder: "说说遇到的问题", autocomplete: "off", autocapitalize: "off",
      spellcheck: "false", compositionstart: tell, compositionend: () => tell({ type: "compositionend", text: input.value }),
      input: (event) => tell({ type: "input", text: input.value, composing: event.isComposing }),
    });
    body = el("div", { class: "body" });
    status = el("p", { class: "unseen", role: "status" });
    const dialog = { role: "dialog", "aria-modal": "true", "aria-label": label };
    panel = el("div", { class: "panel", tabindex: -1, hidden: "", keydown: pressed, ...dialog },
      el("div", { class: "bar", role: "search" }, input, el("button", { class: "quiet", type: "button", click: close }, "关闭")), body,
      el("div", { class: "end soft" }, el("span", { class: "keys" }, "↑↓ 选择　Enter 打开　Esc 关闭"), newTab(`${base}/`, "打开帮助中心")), status);
    root.append(panel);
  }

  function isOpen() {
    return Boolean(panel) && !panel.hidden;
  }

  function open() {
    if (!host.isConnected) document.body.append(host); // a page that swaps its body
    if (!panel) build();
    if (!isOpen()) back = document.activeElement;
    flip(true);
    input.focus({ preventScroll: true });
    look();
  }

  function close() {
    if (!isOpen()) return;
    leave();
    const inside = shadow.activeElement; // else the person is at work elsewhere on the page
    flip(false);
    if (inside) (back && back.isConnected && back !== host && back !== document.body ? back : launch).focus({ preventScroll: true });
  }

  function toggle() {
    if (isOpen()) close();
    else open();
  }

  function flip(opened) {
    panel.hidden = !opened;
    launch.hidden = opened;
    launch.setAttribute("aria-expanded", opened);
  }

  function pressed(event) {
    if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey) return; // 229: the input method's
    const at = shadow.activeElement || panel, key = event.key;
    let done = true;
    if (key === "Escape") close();
    else if (key === "Tab") done = trap(at, event.shiftKey);
    else if (key === "/" && at !== input) input.select();
    else if (key === "Enter" && at === input) ask("enter", input.value);
    else if (key === "ArrowDown") done = move(at, 1);
    else if (key === "ArrowUp") done = move(at, -1);
    else done = false;
    if (done) event.preventDefault();
  }

  function stops(selector) {
    return Array.from(panel.querySelectorAll(selector)).filter((node) => node.getClientRects().length);
  }

  /* Carries the focus round at either end. Returns false when the browser's own step stays inside. */
  function trap(at, backwards) {
    const all = stops('a[href],button,input,[tabindex="0"]');
    if (all.some((one) => at.compareDocumentPosition(one) & (backwards ? 2 : 4))) return false;
    all[backwards ? all.length - 1 : 0].focus();
    return true;
  }

  /* Moves along box, answer, hits and the last button. Returns false when the focus is on none of them. */
  function move(at, by) {
    const all = [input, ...stops(".stop")], here = all.indexOf(at), next = all[here + by];
    if (here >= 0 && next) next.focus();
    return here >= 0;
  }

  function ask(trigger, text, where = null) {
    place = where;
    tell({ type: trigger, text });
  }

  // What is on screen

  function search(text, typing) {
    asked = text;
    latest.abort();
    const mine = latest = new AbortController();
    const params = new URLSearchParams({ q: text.slice(0, SEARCHED), limit: 6, ...(typing && { typing: 1 }) });
    if (script.dataset.module) params.set("module", script.dataset.module);
    const fresh = () => mine === latest && text === asked;
    const slow = setTimeout(() => fresh() && !body.querySelector(".foot") && draw(el("p", { class: "soft" }, "正在查找…")), SLOW);
    request(`${api}/search?${params}`, {}, mine)
      .then((answer) => fresh() && show(text, answer))
      .catch((error) => fresh() && fail(error))
      .finally(() => clearTimeout(slow));
  }

  /* Shows these nodes below the receipt of the same text, if there is one. */
  function draw(...content) {
    const kept = receipt && receipt.text === asked;
    if (!kept) receipt = null;
    fill(body, el("div", {}, kept && receipt.node), ...content);
    hideOffers();
  }

  function say(words) {
    status.textContent = words;
  }

  function blank() {
    asked = "";
    latest.abort();
    draw(el("p", { class: "soft" }, "输入几个字就开始查找，比如“发票查验失败”。没有答案的问题，我们会替你记下来，请同事回答。"));
    say("");
  }

  function fail(error) {
    warn(error);
    draw(el("p", {}, OFFLINE), button("重试", () => {
      input.focus();
      look();
    }));
    asked = "";
    tell({ type: "lost" });
    say(OFFLINE);
  }

  function show(text, answer) {
    // Half a word is too early for a verdict: its hits are those of the words that it may become.
    const early = answer.unfinished && !answer.answer && (answer.hits.length > 0 || answer.verdict !== "empty");
    const verdict = early ? "early" : answer.verdict;
    const hits = answer.hits.map((hit, at) => ({ ...hit, rank: at + 1, url: address(hit.url, base), name: hit.heading || hit.title }));
    const best = answer.answer && hits.shift();
    const missing = early ? "" : answer.reason.missing.join("、");
    const corrected = verdict !== "empty" && answer.corrected ? `已按“${answer.corrected}”搜索` : "";
    const weak = corrected && !missing ? "" : "没有找到完全对应的答案";
    const words = { empty: EMPTY, unanswered: "没有找到答案", weak, early: hits.length ? "" : "还没有对得上的内容，接着输入试试" }[verdict];
    draw(
      corrected && el("p", { class: "soft" }, corrected),
      words && el("p", {}, words, verdict !== "empty" && missing && `（没有提到：${missing}）`, hits.length > 0 && "，下面的内容可能有关"),
      best && answerOf(text, best, answer.answer),
      hits.length > 0 && el("ol", { class: "hits", "aria-label": "相关内容" }, ...hits.map((hit) => hitOf(text, hit))),
      verdict !== "empty" && footOf(text));
    body.scrollTop = 0;
    say([corrected, words || (best ? `找到答案：${best.name}` : `${hits.length} 条结果`)].filter(Boolean).join("，"));
  }

  function newTab(href, words, attributes) {
    return el("a", { href, target: "_blank", rel: "noopener", ...attributes }, words);
  }

  function button(words, click, style) {
    return el("button", { type: "button", class: style, click }, words);
  }

  function soft(words) {
    return el("span", { class: "soft" }, words);
  }

  /* Makes a link to a hit; opening it, by whichever button or key, finishes the question. */
  function linkTo(text, hit, words, attributes) {
    const opened = (event) => event.button < 2 && tell({ type: "open", text, opened: hit.article, rank: hit.rank });
    return newTab(hit.url, words, { click: opened, auxclick: opened, ...attributes });
  }

  function hitOf(text, hit) {
    return el("li", {}, linkTo(text, hit, hit.name, { class: "stop" }), hit.title !== hit.name && soft(hit.title),
      el("p", { class: "cut" }, nodes(hit.snippet, base)));
  }

  function answerOf(text, hit, html) {
    const ask = el("div", { class: "ask", role: "group", "aria-label": "反馈", tabindex: -1 });
    askFeedback(ask, text, hit, "有帮助吗");
    const all = linkTo(text, hit, "打开全文", { class: "stop", "aria-label": `打开全文：${hit.title}` });
    return el("section", { "aria-label": "答案" }, soft(hit.title === hit.name ? "答案" : `答案 · ${hit.title}`), el("h2", {}, hit.name),
      el("div", { class: "text" }, nodes(html, hit.url)), all, ask);
  }

  function askFeedback(ask, text, hit, words) {
    const give = (helpful) => () => {
      fill(ask, soft("谢谢"), !helpful && offer(text, ask)).focus({ preventScroll: true });
      hideOffers();
      post(`${api}/feedback`, { article: hit.article, anchor: hit.anchor, helpful, visitor: visitor() }).catch((error) => {
        warn(error);
        if (!receipt || !ask.contains(receipt.node)) askFeedback(ask, text, hit, OFFLINE);
      });
    };
    fill(ask, soft(words), button("有帮助", give(true)), button("没帮助", give(false)));
  }

  function footOf(text) {
    const foot = el("div", { class: "foot" });
    return fill(foot, offer(text, foot));
  }

  /* Makes the button because of which no list is a dead end; what becomes of it stands in `where`. */
  function offer(text, where) {
    return button(UNSOLVED, () => ask("unsolved", text, where), "quiet stop offer");
  }

  function hideOffers() {
    panel.querySelectorAll(".offer").forEach((one) => { one.hidden = Boolean(receipt && receipt.ticket); });
  }

  // Finished questions

  /* Shows what became of a question, unless another text is asked by then. */
  function conclude({ intent_id, query, trigger, said }) {
    if (query !== asked) return;
    if (said) keep(query, receiptOf(trigger, said, intent_id), said.ticket);
    else keep(query, noteOf(OFFLINE, button("重试", () => ask(trigger, query, place), "quiet")));
  }

  function keep(text, node, ticket) {
    if (receipt) receipt.node.remove();
    receipt = node && { text, node, ticket };
    if (!node) return;
    (place && place.isConnected ? place : body.firstChild).append(node);
    hideOffers();
    if (shadow.activeElement !== input) node.focus({ preventScroll: true });
    node.scrollIntoView({ block: "nearest" });
    say(node.firstChild.textContent);
  }

  function noteOf(words, ...more) {
    return el("div", { class: "note", tabindex: -1 }, el("p", {}, words), ...more);
  }

  function receiptOf(trigger, said, intent_id) {
    if (said.limited) return noteOf(LIMITED);
    if (said.ticket) return ticketOf(said.ticket, intent_id);
    if (trigger === "enter") return null; // the results say it all
    return noteOf(said.verdict === "empty" ? EMPTY : "收到了，谢谢。");
  }

  function ticketOf(ticket, intent_id) {
    const number = String(ticket.number).replace(/^(?=\d)/, "T-");
    const others = ticket.followers > 1 ? `，另有 ${ticket.followers - 1} 位同事在等` : "";
    const url = address(ticket.url, base), token = new URL(url).pathname.split("/").pop();
    const words = el("p", {}, `还没有答案，已替你记下（${number}）${others}`);
    const undo = button("撤销", () => post(`${api}/tickets/${token}/withdraw`, {}).then(safely(() => {
      tell({ type: "withdrawn", intent_id });
      receipt = { ...receipt, ticket: null };
      fill(node, fill(words, "已撤销")).focus({ preventScroll: true });
      hideOffers();
      say("已撤销");
    })).catch(() => say(fill(words, OFFLINE).textContent)), "quiet");
    const node = el("div", { class: "note", tabindex: -1 }, words, newTab(url, "补充说明"), undo);
    return node;
  }

  // The page's side

  const commands = {
    open, close, toggle,
    search(text) {
      open();
      input.value = text || "";
      look();
    },
    destroy() {
      close();
      clearTimeout(timer);
      latest.abort();
      window.removeEventListener("pagehide", leave);
      host.remove();
      if (window.kb === kb) delete window.kb;
    },
  };
  const kb = safely((command, ...given) => {
    if (Object.keys(commands).includes(command)) commands[command](...given);
    else warn(`kb("${command}") is unknown; use one of ${Object.keys(commands).join(", ")}`);
  });
  if (window.kb === undefined) window.kb = kb;
  else warn("window.kb belongs to somebody else: the button works, kb() does not");
}

safely(() => {
  const script = document.currentScript; // a page can hold an element of that name
  if (!(script instanceof HTMLScriptElement) || !script.src) return warn("load the widget by a plain <script src> tag");
  const install = safely(() => (document.querySelector("zhida-help") ? warn("the widget is on this page already") : start(script)));
  if (document.body) install();
  else document.addEventListener("DOMContentLoaded", install);
})();
