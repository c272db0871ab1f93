/* Zhida 知答 help widget: <script src="https://HOST/widget/v1.js" defer data-kb="SITE"></script>
   Options on the tag, or given to kb("init", {…}): data-kb, data-label, data-position, data-module, data-theme, data-mode, data-z-index, data-size, data-lang,
   data-context (see ALLOWED). <kb-search> elements are boxes in the page; their own data-label, data-module and data-theme go before those of the tag.
   From the page: kb("open"), kb("close"), kb("toggle"), kb("search", text), kb("ask", text), kb("suggest", {context}), kb("context", text), kb("identify", fn),
   kb("on" | "off", event, fn), kb("destroy"), kb("init", options). Calls made before this file has come are kept by
   window.kb = window.kb || function () { (kb.q = kb.q || []).push(arguments); }
   Promises: one node in the host page, no request before first use, no style in or out, nothing thrown, who asks is never sent by cookie.
   Served behind intents.js in one function (kb/widget/pages.py): `begin` and `step` are that file's. What t("…") says in other languages: texts.toml. */

const SLOW = 400, PATIENCE = 8000, SOON = 2400, UPLOAD = 60000; // ms
const SEARCHED = 400; // characters the server reads of a search
const PLACE = 200; // characters the server reads of a context
const LITTLE = 9999; // characters that may go out while a page is left: browsers send 64 KiB then
const HERE = "zh-CN"; // the language of this file
const STRANGER = "请先登录这个系统。";

const DARK = "--bg:var(--kb-bg,#1a1e20);--ink:var(--kb-ink,#e4e8e9);--soft:#bbc;--line:#344;--accent:var(--kb-accent,#8fc1d8);--on:var(--kb-on-accent,#10202a);--mark:#245;color-scheme:dark";
const CSS = `
:host{all:initial!important;display:contents!important;direction:ltr!important}
*{box-sizing:border-box}
[hidden]{display:none!important}
.root{--bg:var(--kb-bg,#fdfdfc);--ink:var(--kb-ink,#222);--soft:#566;--line:#dde;--accent:var(--kb-accent,#1f5f7a);--on:var(--kb-on-accent,#fff);
  --mark:#def;--z:var(--kb-z,2147483000);--w:28em;--h:41em;color-scheme:light;
  font:.9375em/1.7 var(--kb-font,system-ui,sans-serif);
  color:var(--ink);overflow-wrap:anywhere}
.root[data-theme=dark]{${DARK}}
@media (prefers-color-scheme:dark){.root[data-theme=auto]{${DARK}}}
.small{--w:24em;--h:35em}
.large{--w:37em;--h:51em}
button,input,textarea{font:inherit;color:inherit;margin:0;border:1px solid var(--line);border-radius:6px;background:none}
button{cursor:pointer;padding:8px;min-height:44px}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.launch,.panel,.nudge{position:fixed;z-index:var(--z);right:20px;bottom:calc(20px + env(safe-area-inset-bottom))}
.left>*{right:auto;left:20px}
.launch{padding:8px 20px;border-radius:22px;background:var(--accent);color:var(--on)}
.panel,.drop{display:flex;flex-direction:column;min-height:0;flex:1}
.panel{width:var(--kb-width,var(--w));max-width:calc(100vw - 40px);height:var(--kb-height,var(--h));max-height:calc(100vh - 40px)}
.panel,.nudge,.inline .drop{background:var(--bg);border:1px solid var(--line);border-radius:10px;overflow:hidden;box-shadow:0 6px 24px #0003}
.nudge{bottom:calc(76px + env(safe-area-inset-bottom));display:flex;gap:8px;padding:8px 16px}
.bar{display:flex;gap:8px;padding:12px;border-bottom:1px solid var(--line)}
.inline .panel{all:unset;display:block;position:relative}
.inline .bar{padding:0;border:0}
.inline .drop{position:absolute;z-index:var(--z);top:100%;left:0;right:0;max-height:min(70vh,var(--h))}
input,textarea{flex:1;min-width:0;font-size:max(16px,1em);padding:8px;border-color:var(--soft);background:var(--bg)}
::placeholder{color:var(--soft);opacity:1}
.body{flex:1;overflow-y:auto;padding:16px}
.end{display:flex;justify-content:space-between;align-items:center;padding:8px 16px calc(8px + env(safe-area-inset-bottom));border-top:1px solid var(--line)}
p,ul,ol,pre,table,details{margin:0 0 .7em}
ul,ol{padding-left:1.5em}
.said{white-space:pre-wrap}
.form{display:flex;flex-direction:column;gap:8px;align-items:flex-start}
.form input,textarea{width:100%;flex:none}
textarea{height:7em}
details .quiet{display:block;text-align:left}
[role=button]{cursor:zoom-in}
img{max-width:100%;height:auto}
.over{position:fixed;inset:0;width:100%;height:100%;object-fit:contain;background:var(--bg)}
h2,h3,h4{font-size:1.1em;margin:8px 0}
.soft{color:var(--soft);font-size:.87em;margin:0}
.note{margin:0 0 12px;padding:8px;background:var(--mark)}
.form a,.note>a,.hits a{margin-right:8px}
.quiet{padding:4px 0;border:0;color:var(--accent);text-decoration:underline}
pre,table{display:block;overflow-x:auto}
table{border-collapse:collapse}
th,td{min-width:5em;padding:8px;border-bottom:1px solid var(--line);text-align:left}
.ask{display:flex;gap:8px;flex-wrap:wrap;align-items:center;margin:8px 0}
.ask,.foot,.hits li{padding:10px 0;border-top:1px solid var(--line)}
.hits{list-style:none;margin:0;padding:0}
.hits a{font-weight:600;text-decoration:none}
mark,.badge{background:var(--mark);color:var(--ink)}
.badge{margin-left:8px;padding:1px 8px}
.unseen{position:absolute;height:1px;overflow:hidden;clip-path:inset(50%)}
@media (max-width:30em){
  [aria-modal].panel{inset:0;min-width:100%;min-height:100%;border:0;border-radius:0;padding-top:env(safe-area-inset-top)}
}`;

const NUMBER = "a number";
const LABELS = { "zh-CN": "帮助", "zh-TW": "說明", en: "Help" }; // what stands in the page before the first use

/* What each option may be, its usual value first; [] for a text. */
const ALLOWED = {
  kb: [], label: [], module: [], context: [], zIndex: [NUMBER], position: ["right", "left"], theme: ["auto", "light", "dark"],
  mode: ["button", "inline", "headless"], size: ["medium", "small", "large"], lang: ["zh-CN", "zh-TW", "en"],
};
const EVENTS_TOLD = ["open", "close", "search", "answered", "unanswered", "ticket"];

function warn(...words) {
  console.warn("[zhida]", ...words);
}

/* Whether a key is held that makes another thing of a press. */
function held(event) {
  return event.ctrlKey || event.metaKey || event.altKey;
}

function unknown(what, allowed) {
  warn(`${what} is unknown; use ${allowed.join(", ")}`);
}

/* Wraps a handler so that nothing of ours surfaces in the host page, now or later. */
const safely = (action) => (...given) => {
  try {
    const done = action(...given);
    done?.catch?.(warn);
    return done;
  } catch (error) { return warn(error); }
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
  node.replaceChildren(...children.filter((child) => child));
  return node;
}

/* Makes a link to an address that the server named. */
function newTab(href, words, attributes) {
  return el("a", { href: address(href, base), target: "_blank", rel: "noreferrer", ...attributes }, words);
}

function button(words, click, style) {
  return el("button", { class: style, click }, words);
}

function field(words, more, tag = "input") {
  return el(tag, { "aria-label": words, placeholder: words, ...more });
}

/* Makes what a person wrote, its addresses links. */
function written(text) {
  return el("p", { class: "said" }, ...text.split(/(https?:\/\/[!-~]*[\w/])/).map((part, at) => at % 2 ? newTab(part, part) : part));
}

function soft(...words) {
  return el("span", { class: "soft" }, ...words);
}

/* Returns 32 random hexadecimal digits. Not crypto.randomUUID: it is missing on intranets without TLS. */
function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => (byte + 256).toString(16).slice(1)).join("");
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

const PLAIN = { createHTML: String };
let policy; // asked for once: a page that allows our policy refuses a second of its name, and reports each that it does not allow

/* Returns the server's HTML as nodes. The server has sanitised it; the host page should not need to trust that: no scripts, no attributes but these. */
function nodes(html, from) {
  try {
    if (policy === undefined) {
      policy = null;
      policy = window.trustedTypes?.createPolicy("zhida", PLAIN) || PLAIN;
    }
    const inert = el("template", {});
    inert.innerHTML = policy.createHTML(html);
    inert.content.querySelectorAll("script,style,link,base,iframe,object,embed,form,svg,math").forEach((node) => node.remove());
    for (const node of inert.content.querySelectorAll("*")) {
      for (const { name, value } of [...node.attributes]) {
        const kept = /^(href|src)$/.test(name) ? address(value, from) : /^(alt|title|start|.*span)$/.test(name) ? value : null;
        if (kept === null) node.removeAttribute(name);
        else node.setAttribute(name, kept);
      }
      const tag = node.localName;
      if (tag === "a") Object.assign(node, { target: "_blank", rel: "noreferrer" });
      if (tag === "img" && !node.closest("a")) Object.assign(node, { tabIndex: 0, role: "button" }); // pressed it is shown large
      if (tag === "table") node.tabIndex = 0; // it may be wider than the panel
    }
    return inert.content;
  } catch { // Trusted Types without our policy: the words
    return html.replace(/<[^>]*>/g, "");
  }
}

// Who asks, and how the server is asked. One page speaks for one site and one person, however many boxes it has.

const script = document.currentScript; // a page can hold an element of that name
let base, options = {}; // the server's origin; what the page wants
let who = {}; // who asks, in memory only: {signer: gives a token, of the page's making; token: a promise of one, held: it, once it is here, until: ms; gone}

let load = ""; // a number of this page, as long as it lives
const VISITOR = "kb-visitor"; // under this name one random id for this browser
const notes = {}; // where nothing can be stored, for as long as the page lives

/* Returns what is kept under a name, for this browser or with `store` for this session; `value`, which is kept, where there was nothing. */
function kept(name, value, store = "localStorage") {
  let found = notes[name] || value;
  try {
    const stored = window[store].getItem(name);
    if (/^[\da-f]{32}$/.test(stored)) found = stored; // else of another's making
    if (found) window[store].setItem(name, found);
  } catch {
    // refused: the page remembers
  }
  return notes[name] = found;
}

/* Returns when a token that has just come must be made anew (ms): 30 s before its time is over, whatever this computer's clock says; never for what we cannot
   read: the server will say. */
function ends(token) {
  try {
    const { exp, iat } = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    return Date.now() + (exp - iat - 30) * 1000;
  } catch {
    return Infinity;
  }
}

/* Returns a promise of the token, null for nobody's; of another than the one that was refused. */
function vouched(me, refused) {
  if (!me.token || me.held === refused || me.until < Date.now()) {
    [me.held, me.until] = [undefined, Infinity]; // the page is asked once for all that wait
    me.token = vouch(me);
  }
  return me.token;
}

async function vouch(me) {
  try {
    const token = await Promise.race([me.signer(), new Promise((_, refuse) => setTimeout(() => refuse("identify is late"), PATIENCE))]);
    if (token !== null && !/^[\w-]+(\.[\w-]+){2}$/.test(token)) throw new Error("identify gave no token"); // but an empty answer, or the page to sign in at
    [me.held, me.until] = [token || "", ends(token)];
    return token;
  } catch (error) {
    me.until = 0;
    throw Object.assign(new Error(error), { status: 401 });
  }
}

/* Sends, and returns the JSON of the answer. Rejects where there is none, in time or of another kind. On the error of a refusal are its `status` and what
   the server `said`, if that is written for people; what is written for developers goes to the console. */
async function json(url, sent = {}, patience, stop = new AbortController()) {
  const late = setTimeout(() => stop.abort(), patience);
  try {
    const response = await fetch(url, { credentials: "omit", signal: stop.signal, ...sent });
    const data = await response.json(), { status } = response;
    if (response.ok) return data;
    const { code, message } = data.error || {};
    throw Object.assign(new Error(`${url.split("?")[0]} ${status} ${code} ${message}`),
      { status, said: (status > 403 || /^(too|file)_/.test(code)) && message });
  } finally {
    clearTimeout(late);
  }
}

/* Asks the API in the name of who is here at the call; once more with a new token when the first is refused, never in the name of who comes next: then it
   rejects. Of one who is gone the token in hand serves: the page, asked for another, would speak for the next. */
async function request(path, sent, stop, refused = null, me = who) {
  const { data, lang, body = data && JSON.stringify(data) } = sent, site = options.kb, last = me.gone, headers = {}, url = new URL(`${base}/api/v1${path}`);
  const own = body || /^.tickets/.test(path), token = site && me.signer && (last ? me.held ?? same() : await vouched(me, refused));
  if (!last) same(me);
  if (lang !== HERE) url.search += `&lang=${lang}`;
  if (data) headers["Content-Type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  else if (own) headers["X-Zhida-Visitor"] = kept(VISITOR, random());
  if (site && (token || own)) headers["X-Zhida-Site"] = site;
  else if (site) url.search += `&site=${site}&n=${load = load || random()}`; // without a header of ours the browser need not ask the server first; `n`: whom to count
  const given = { headers, ...(body && { method: "POST", body, keepalive: body.length < LITTLE }) };
  return json(url.href, given, body && !data ? UPLOAD : PATIENCE, stop).finally(() => last || same(me)).catch((error) => {
    if (error.status !== 401 || !token || refused || last) throw error;
    return request(path, sent, stop, token, me);
  });
}

/* Throws when somebody else has come. */
function same(me) {
  if (me !== who) throw new Error("identity changed");
}

// What all boxes of a page share

let context = "";
const spoken = {}; // promises of the texts of other languages, by language
const STILL = { preventScroll: true };
const boxes = new Set();
let main = null; // the box behind the button
let sheet = null;
let listeners = [];

function about() {
  const { pathname, hash } = location;
  return (context || (options.context === "url" ? pathname + (hash[1] === "/" ? hash : "") : options.context || "")).slice(0, PLACE);
}

/* Returns options that can be followed; warns of the others. */
function checked(given) {
  const out = {};
  for (const [name, value] of Object.entries(given)) {
    const allowed = ALLOWED[name];
    if (allowed && (!allowed[0] || allowed.includes(value) || (name === "zIndex" && !isNaN(value)))) out[name] = value;
    else unknown(`${name}="${value}"`, allowed || Object.keys(ALLOWED));
  }
  return out;
}

/* Puts a box into the page: behind a button, or into `anchor`. Returns what can be done to it. */
function start({ label, theme = "auto", module, position = "", mode, size = "", zIndex, lang = HERE }, anchor) {
  let panel, layer, input, shut, body, status, mine, away; // built at the first opening; `layer`: what opens; `mine`: the button to one's own questions; `away`: the link out
  const anew = () => begin({ newId: random, live: /Android/.test(navigator.userAgent) });
  let state = anew();
  let timer, latest = new AbortController();
  let busy = false, asked = ""; // the text whose results are on screen, or on their way
  let receipt = null; // {text, node, ticket, again} of the last finished question that has something to say; `again`: sends it once more
  let place = null; // where it is shown, when not on top
  let back = null; // what had the focus before the panel
  let trail = []; // what is under the page that is open: {shown, top, at}
  let nudge = null;
  let texts = {}; // what t() says instead, by its Chinese
  let site = !options.kb && { anonymous: true }, met, refusal; // what the server says of the site; a promise that it was asked; why it said nothing
  let failure; // why the last question could not be sent

  label = label || LABELS[lang];
  const silent = mode === "headless";
  const launch = el("button", { class: "launch", part: "button", "aria-haspopup": "dialog", click: toggle, hidden: silent }, label);
  const root = el("div", { class: `root ${anchor ? "inline" : position} ${size}`, lang, role: anchor ? "search" : "region", "aria-label": label, "data-theme": theme }, !anchor && launch);
  if (zIndex) root.style.setProperty("--z", zIndex);
  const host = anchor || document.createElement("zhida-help");
  const shadow = host.shadowRoot || host.attachShadow({ mode: "open" });
  try {
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(CSS);
    shadow.adoptedStyleSheets = [sheet];
  } catch {
    shadow.append(el("style", { nonce: script.nonce }, CSS));
  }
  shadow.append(root);
  // The page's shortcuts and focus guards would take our box for a plain element: what is typed here stays here.
  for (const type of ["keydown", "keypress", "keyup", "beforeinput", "input", "paste", "focusin", "focusout", "compositionstart",
    "compositionupdate", "compositionend"]) {
    root.addEventListener(type, (event) => event.stopPropagation());
  }
  const open = safely(opened);
  const leave = safely(() => tell({ type: "leave" }));
  const outside = safely((event) => !event.composedPath().includes(host) && close());
  addEventListener("pagehide", leave);
  if (anchor) build();
  else if (!silent) document.body.append(host);

  function t(text, given) {
    return (texts[text] || text).replace("{0}", () => given);
  }

  /* Asks the API. Browsers hide why a page is refused, except from the question what the site is: what fails is told when that is answered. */
  function call(path, sent, stop) {
    return request(path, { lang, ...sent }, stop).catch(async (error) => {
      await met;
      throw refusal?.status === 403 ? refusal : error;
    });
  }

  /* Learns what the site is: how it looks, who may ask, which modules there are. Never rejects. */
  function meet() {
    return met = request("/site", { lang }).then((told) => {
      site = told;
      refusal = null;
      if (theme === "auto") root.dataset.theme = told.theme;
      const ids = told.modules.map(({ id }) => id);
      if (!module || ids.includes(module)) return;
      unknown(`module="${module}"`, ids);
      module = "";
    }, (error) => { refusal = error; });
  }

  function post(path, data) {
    return call(path, { data });
  }

  function emit(name, detail = {}) {
    host.dispatchEvent(new CustomEvent(name, { detail }));
    listeners.forEach((one) => one.name === name && safely(one.listener)(detail));
  }

  // What happens and what follows

  function tell(event) {
    const at = performance.now(), next = step(state, event, at);
    state = next.state;
    for (const effect of next.effects) carry(effect, at);
  }

  function carry({ search: text, typing, clear, send, told, wake }, at) {
    const me = who;
    if (text) search(text, typing);
    else if (clear) blank();
    else if (send) post("/intents", { ...send, context: about() }).then(
      safely((said) => {
        if (me !== who) return;
        tell({ type: "stored", question: send, said });
        report(send.query, said);
      }),
      safely((error) => {
        warn(failure = error);
        tell({ type: "failed", question: send, taken: error.status === 409 });
      }));
    else if (told) conclude(told);
    else {
      clearTimeout(timer);
      if (wake !== null) timer = setTimeout(safely(() => tell({ type: "tick" })), wake - at);
    }
  }

  function report(query, { verdict, ticket }) {
    if (/answered/.test(verdict)) emit(verdict, { query });
    if (ticket) emit("ticket", { query, number: ticket.number, url: ticket.url });
  }

  /* Takes what is in the box as it stands, without waiting for another key. */
  function look() {
    tell({ type: "input", text: input.value, ready: true });
  }

  // The panel

  function build() {
    const dialog = { role: "dialog", "aria-label": label };
    input = field(label, {
      maxlength: KEPT, part: "input", enterkeyhint: "search", autocomplete: "off", compositionstart: tell,
      compositionend: () => tell({ type: "compositionend", text: input.value }),
      input(event) {
        if (anchor) open();
        tell({ type: "input", text: input.value, composing: event.isComposing });
      },
      ...(anchor && { role: "combobox", "aria-haspopup": "dialog", "aria-expanded": "false", "aria-controls": "drop", click: open }),
    });
    body = el("div", { class: "body" });
    status = el("p", { class: "unseen", role: "status" });
    mine = button("", questions, "quiet");
    away = newTab(`${base}/`, "");
    shut = button("", close, "quiet");
    const drop = el("div", { class: "drop", id: "drop", ...(anchor && { hidden: "", tabindex: -1, ...dialog }) }, body, el("div", { class: "end soft" }, mine, away));
    panel = el("div", { class: "panel", part: "panel", tabindex: -1, keydown: pressed, click: followed,
      ...(!anchor && { hidden: "", "aria-modal": "true", ...dialog }) },
    el("div", { class: "bar" }, input, !anchor && shut), drop, status);
    root.append(panel);
    layer = anchor ? drop : panel;
  }

  function isOpen() {
    return layer?.hidden === false;
  }

  /* Opens once its words are here, or in Chinese when they are late; all that call meanwhile wait for the same. */
  async function opened() {
    const before = texts;
    if (lang !== HERE) {
      spoken[lang] = spoken[lang] || json(`${base}/widget/texts/${lang}.json`, {}, SOON).catch((error) => {
        spoken[lang] = null; // the next opening tries again
        warn(error);
      });
      texts = await spoken[lang] || texts;
    }
    if (isOpen()) return;
    if (!host.isConnected) document.body.append(host); // a page that swaps its body
    back = document.activeElement;
    if (!panel) build();
    fill(away, t("打开帮助中心"));
    fill(mine, t("我的提问"));
    fill(shut, t("关闭"));
    if (!anchor) for (const name of ["placeholder", "aria-label"]) input.setAttribute(name, t("说说遇到的问题"));
    if (texts !== before) tell({ type: "lost" }); // what is shown is in other words
    if (options.kb || module) meet().then(() => asked || trail[0] || blank());
    flip(true);
    input.focus(STILL);
    look();
    news();
    emit("open");
  }

  function close() {
    if (!isOpen()) return;
    leave();
    const inside = shadow.activeElement; // else the person is at work elsewhere on the page
    flip(false);
    if (inside) (anchor ? input : back?.isConnected && back !== host && back !== document.body ? back : launch).focus(STILL);
    emit("close");
  }

  function toggle() {
    return isOpen() ? close() : open();
  }

  function flip(opened) {
    layer.hidden = !opened;
    if (anchor) {
      input.setAttribute("aria-expanded", opened);
      for (const type of ["pointerdown", "focusin"]) document[opened ? "addEventListener" : "removeEventListener"](type, outside, true);
      return;
    }
    launch.hidden = opened || silent;
    nudge?.remove();
  }

  function pressed(event) {
    if (event.isComposing || event.keyCode === 229 || held(event)) return; // 229: the input method's
    const at = shadow.activeElement || panel, key = event.key, large = panel.querySelector(".over"), box = at.matches("input,textarea");
    let done = true;
    if (large) large.classList.remove("over");
    else if (!isOpen()) {
      if (key === "ArrowDown") open();
      else done = false;
    } else if (key === "Escape") close();
    else if (key === "Tab") done = !anchor && trap(at, event.shiftKey);
    else if (key === "/" && !box) input.select();
    else if (key === "Enter" && at === input) ask("enter", input.value);
    else if (key === "Enter" && at.localName === "img") at.click();
    else if (key === "ArrowDown") done = move(at, 1);
    else if (key === "ArrowUp") done = move(at, -1);
    else done = false;
    if (done) event.preventDefault();
  }

  function stops(selector) {
    return [...panel.querySelectorAll(selector)].filter((node) => node.getClientRects().length);
  }

  /* Carries the focus round at either end. Returns false when the browser's own step stays inside. */
  function trap(at, backwards) {
    const all = stops('a[href],button,input,textarea,summary,[tabindex="0"]');
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
    const run = latest = new AbortController();
    busy = true;
    const fresh = () => run === latest && text === asked;
    const slow = setTimeout(() => fresh() && !body.querySelector(".foot") && draw(p(t("正在查找…"))), SLOW);
    find(text, typing, run)
      .then((answer) => fresh() && show(text, answer))
      .catch((error) => fresh() && fail(error))
      .finally(() => {
        clearTimeout(slow);
        if (run === latest) busy = false;
      });
  }

  async function find(text, typing, run) {
    if (module) await (met || meet());
    const params = new URLSearchParams({ q: text.slice(0, SEARCHED), limit: 6, ...(module && { module }) });
    return call(`/search?${params}${typing ? "&typing=1" : ""}`, {}, run);
  }

  /* Shows these nodes below the receipt of the same text, if there is one. */
  function draw(...content) {
    if (receipt?.text !== asked) receipt = null;
    trail = [];
    fill(body, el("div", {}, receipt?.node), ...content);
    hideOffers();
  }

  function say(words) {
    status.textContent = words;
  }

  function p(...words) {
    return el("p", { class: "soft" }, ...words);
  }

  function blank() {
    asked = "";
    latest.abort();
    draw(p(refusal ? trouble(refusal) : site && t(site.anonymous || who.signer ? "没有答案的问题，我们会记下来请同事回答。" : STRANGER)));
    say("");
    const here = about(), home = body.lastChild;
    if (here) suggestions(here).then((found) => found[0] && home.isConnected && home.after(el("h2", {}, t("这里常见的问题")),
      el("ol", { class: "hits", lang: HERE }, ...found.map((one) => el("li", {}, newTab(one.url, one.title, { class: "stop" }))))), warn);
  }

  function suggestions(here) {
    return call(`/suggestions?${new URLSearchParams({ context: here })}`).then((found) => found.suggestions);
  }

  function trouble(error) {
    warn(error);
    const { status, said } = error;
    if (status === 401) return t(who.held ?? who.signer ? "没能确认你的登录状态，请刷新本页或重新登录。" : STRANGER);
    if (status === 403) return t("这个页面还不能用帮助中心，请告诉管理员。");
    return said || t("暂时连不上帮助中心，请稍后再试。");
  }

  function fail(error) {
    const words = trouble(error), again = receipt?.text === asked && receipt.again;
    if (again) receipt = null; // one message, one button for both
    draw(retry(words, again || (() => {
      input.focus();
      look();
    })));
    asked = "";
    tell({ type: "lost" });
    say(words);
  }

  function show(text, answer) {
    const { reply, verdict } = answer, words = reply ? reply.kind_name : answer.words, hits = answer.hits.map((hit, at) => ({ ...hit, rank: at + 1, name: hit.heading || hit.title }));
    const best = answer.answer && hits.shift();
    draw(
      reply ? replyOf(text, reply) : words && el("p", {}, words),
      best && answerOf(text, best, answer.answer),
      hits.length > 0 && el("ol", { class: "hits", lang: HERE }, ...hits.map((hit) => hitOf(text, hit))),
      verdict !== "empty" && !reply && footOf(text));
    body.scrollTop = 0;
    say(`${words} ${best ? best.name : t("{0} 条结果", hits.length)}`);
    emit("search", { query: text, verdict });
  }

  /* Makes a link to a hit; opening it finishes the question. */
  function linkTo(text, hit, words, attributes) {
    return newTab(hit.url, words, { click: () => tell({ type: "open", text, opened: hit.article, rank: hit.rank }), ...attributes });
  }

  function hitOf(text, hit) {
    return el("li", {}, linkTo(text, hit, hit.name, { class: "stop" }), hit.title !== hit.name && soft(hit.title),
      p(nodes(hit.snippet, base)));
  }

  function answerOf(text, hit, html) {
    const all = linkTo(text, hit, t("打开全文"), { class: "stop" });
    return el("section", { "aria-label": t("答案") }, soft(t("答案")), el("div", { lang: HERE }, el("h2", {}, hit.name), hit.title !== hit.name && p(hit.title), nodes(html, hit.url)), all, helpful(hit, text));
  }

  function replyOf(text, reply) {
    const note = noteOf(reply.kind_name, written(reply.text), p(`${reply.role} · ${when(reply.at)}`));
    note.append(offer(text, note, reply.kind === "known" && reply.open ? t("我也遇到，处理好了告诉我") : t("仍未解决，记下我的问题")));
    return note;
  }

  /* Makes the question whether a section helped, and where not, why. `text`: what was asked, if an answer to it is shown. */
  function helpful({ article, anchor }, text) {
    const ask = el("div", { class: "ask", tabindex: -1 });
    const give = (good) => () => {
      const send = (reason) => post("/feedback", { article, anchor, helpful: good, reason }).catch((error) => {
        const words = trouble(error);
        if (!ask.contains(receipt?.node)) question(words);
      });
      const why = field(t("哪里没帮上？"), { maxlength: 1000 });
      const thank = (...more) => fill(ask, soft(t("谢谢")), ...more).focus(STILL);
      if (good) thank();
      else thank(why, button(t("发送"), () => send(why.value).then(() => thank())), text && offer(text, ask));
      hideOffers();
      send();
    };
    const question = (words) => fill(ask, soft(words), button(t("有帮助"), give(true)), button(t("没帮助"), give(false)));
    return question(t("有帮助吗"));
  }

  function footOf(text) {
    const foot = el("div", { class: "foot" });
    return fill(foot, offer(text, foot));
  }

  /* Makes the button because of which no list is a dead end; what becomes of it stands in `where`. */
  function offer(text, where, words = t("没找到？记下我的问题")) {
    return button(words, () => ask("unsolved", text, where), "quiet stop offer");
  }

  function hideOffers() {
    panel.querySelectorAll(".offer").forEach((one) => { one.hidden = receipt?.ticket; });
  }

  // Pages inside the panel

  /* Our own addresses open in here; a key held with the press means another tab, as everywhere. */
  function followed(event) {
    const { target } = event, link = target.closest("a");
    if (target.getAttribute("role") === "button") target.classList.toggle("over"); // a picture, shown large
    if (link && !event.button && !event.shiftKey && !held(event) && go(link.href)) event.preventDefault();
  }

  /* Opens an article or a ticket of ours in the panel. Returns whether the address is one. */
  function go(url) {
    const { origin, pathname, hash } = new URL(url, base), [, kind, one, two, more] = pathname.split("/");
    if (origin !== base || more) return false;
    if (kind === "a" && two) visit(`/articles/${one}/${two}`, url, (told) => article(told, decodeURIComponent(hash.slice(1))));
    else if (kind === "t" && !two) visit(`/tickets/${one}`, url, (told, again) => ticket(`/tickets/${one}`, told, again));
    else return false;
    return true;
  }

  /* Opens a page over what is shown; the button at its top leads back. `page(told, again)` makes its nodes; again(true) makes them anew after something was done. */
  function visit(path, url, page) {
    const content = el("div", {}, p(t("正在查找…")));
    const load = (done) => call(path).then((told) => {
      if (!content.isConnected) return;
      fill(content, ...page(told, load));
      if (done) say(t("已保存"));
      content.querySelector("#here")?.scrollIntoView();
      content.querySelector("h2").focus(STILL);
    }).catch((error) => fill(content, el("p", { role: "alert" }, trouble(error)), newTab(url, t("打开帮助中心"))));
    if (busy) { // its results must not come over this page: looked for again on the way back
      latest.abort();
      asked = "";
      tell({ type: "lost" });
    }
    trail.push({ shown: [...body.childNodes], top: body.scrollTop, at: shadow.activeElement });
    fill(body, button(t("← 返回"), goBack, "quiet"), content);
    body.scrollTop = 0;
    body.firstChild.focus();
    load();
  }

  function goBack() {
    const { shown, top, at } = trail.pop();
    fill(body, ...shown);
    body.scrollTop = top;
    (at?.isConnected ? at : input).focus(STILL);
    if (input.value && !trail[0]) look();
    news();
  }

  function title(words, more) {
    return el("h2", { tabindex: -1, ...more }, words);
  }

  function article(told, here) {
    const sections = told.sections.map((one) => el("section", { lang: HERE, id: one.anchor !== "" && one.anchor === here && "here" },
      one.heading && el(`h${one.level + 1}`, {}, one.heading), nodes(one.html, told.url)));
    return [title(told.title, { lang: HERE }),
      told.contents.length > 2 && el("details", {}, el("summary", {}, t("目录")),
        ...told.sections.map((one, at) => one.heading && button(one.heading, () => sections[at].scrollIntoView(), "quiet"))),
      ...sections, helpful({ article: told.article, anchor: "" })];
  }

  function when(at) {
    return new Date(at).toLocaleString(lang, { dateStyle: "short", timeStyle: "short" });
  }

  function questions() {
    visit("/tickets", `${base}/mine`, ({ tickets }) => [title(t("我的提问")),
      tickets.length ? el("ol", { class: "hits" }, ...tickets.map((one) => el("li", {}, newTab(one.url, one.question || "…"),
        one.news && el("strong", { class: "badge" }, t("新回复")), p(`${one.words} · ${when(one.at)}`)))) : p(t("你还没有记下过问题。"))]);
  }

  /* Shows how many of one's own questions have news. */
  function news() {
    if (!who.signer && !kept(VISITOR)) return; // nobody has asked anything here yet
    call("/tickets").then(badge, warn);
  }

  function badge(told) {
    const many = told?.news;
    fill(launch, label, many && el("span", { class: "badge" }, told.news));
    if (mine) fill(mine, t("我的提问"), many && el("span", { class: "badge" }, `${t("新回复")} ${told.news}`));
  }

  function ticket(path, told, again) {
    const { state, asked, thread, replies } = told, last = thread.length && thread[thread.length - 1].kind;
    const over = /resolved|confirmed|closed/.test(state + last); // over: at least for this person
    const words = field(over ? t("哪里还不行？写一句") : t("做了什么、看到什么提示"), { maxlength: 20000 }, "textarea");
    const contact = field(t("怎么联系你（选填）。留邮箱，有回复会发邮件"), { maxlength: 200, value: told.contact });
    const problem = el("div", { role: "alert" });
    const files = el("ul", {}, ...told.files.map(fileOf));
    const act = (action, more) => () => post(`${path}/${action}`, { details: words.value, contact: contact.value, ...more }).then(again, (error) => wrong(error));
    function wrong(error, name = "") {
      const why = trouble(error);
      problem.append(noteOf(why.includes(name) ? why : `${name}: ${why}`));
    }
    function fileOf(file) {
      const line = el("li", {}, newTab(file.url, file.name), !over && button(t("移除"), () => {
        post(`${path}/files/${file.id}/remove`, {}).then(() => line.remove(), (error) => wrong(error, file.name));
      }, "quiet"));
      return line;
    }
    async function add() {
      const me = who;
      fill(problem);
      for (const file of picker.files) {
        same(me);
        const data = new FormData(), line = el("li", {}, t("正在上传 {0}", file.name));
        data.append("file", file);
        files.append(line);
        await call(`${path}/files`, { body: data }).then((stored) => {
          files.append(fileOf(stored.file));
          say(t("已保存"));
        }, (error) => wrong(error, file.name));
        line.remove();
      }
      picker.value = "";
    }
    const picker = el("input", { type: "file", multiple: "", change: add });
    if (told.news) post(`${path}/seen`, {}).then(news).catch(warn);
    return [title(told.question || "…"), p(`T-${told.number} · ${told.words}`, told.expected && ` · ${told.expected.words}`),
      asked && noteOf(t("客服想请你补充"), written(asked)),
      ...thread.map((one) => (one.text || one.url) && el("div", { class: "foot" },
        soft(`${{ self: t("你"), agent: t("客服"), system: t("答案") }[one.by]} · ${when(one.at)}`),
        one.text && written(one.text), one.url && el("p", {}, newTab(one.url, t("打开全文"))))),
      problem,
      told.withdrawn ? button(t("恢复"), act("rejoin")) : el("div", { class: "form" },
        (over ? state === "resolved" : replies.length && !asked) && button(t("已解决"), act("settle")),
        /confirmed|expired/.test(state + last) && el("div", { class: "ask" }, soft(told.satisfaction ? t("谢谢") : t("有帮助吗")),
          button(t("有帮助"), act("rate", { satisfaction: 4 })), button(t("没帮助"), act("rate", { satisfaction: 2 }))),
        words, !over && contact,
        over ? button(t("仍未解决"), act("reopen")) : button(t("保存"), act("details")),
        !over && el("label", {}, t("添加截图或单据"), picker), files,
        !over && !replies.length && button(t("撤销"), act("withdraw"), "quiet"))];
  }

  // Finished questions

  /* Shows what became of a question that still stands in the box. */
  function conclude({ intent_id, query, trigger, said }) {
    if (said) keep(query, said.ticket ? ticketOf(query, said, intent_id) : (trigger !== "enter" || said.limited) && noteOf(said.words), said.ticket); // else the results say it all
    else {
      const at = place, again = () => {
        look();
        ask(trigger, query, at);
      };
      if (!asked && !trail[0]) draw(); // the search failed too: one message, one button for both
      keep(query, retry(trouble(failure), again), null, again);
    }
  }

  function retry(words, again) {
    return noteOf(words, words !== t(STRANGER) && button(t("重试"), again, "quiet"));
  }

  function keep(text, node, ticket, again) {
    receipt?.node.remove();
    receipt = node && { text, node, ticket, again };
    if (!node || trail.length) return;
    (place?.isConnected ? place : body.firstChild).append(node);
    hideOffers();
    if (shadow.activeElement !== input) node.focus(STILL);
    node.scrollIntoView({ block: "nearest" });
    say(node.firstChild.textContent);
  }

  function noteOf(words, ...more) {
    return el("div", { class: "note", tabindex: -1 }, el("p", {}, words), ...more);
  }

  function ticketOf(query, { ticket, words, expected }, intent_id) {
    const { answer, url } = ticket;
    const act = (action, then) => () => post(`/tickets/${url.split("/").pop()}/${action}`, {}).then(then)
      .catch((error) => say(fill(receipt.node.firstChild, trouble(error)).textContent));
    const note = noteOf(words, answer && written(answer.text), answer?.url && newTab(answer.url, t("打开全文")), !answer && expected && p(expected.words),
      newTab(url, t(answer ? "仍未解决" : "补充说明")),
      button(t("撤销"), act("withdraw", () => {
        tell({ type: "withdrawn", intent_id });
        keep(query, noteOf(t("已撤销"), button(t("恢复"), act("rejoin", () => keep(query, note, ticket)), "quiet")));
      }), "quiet"));
    return note;
  }

  // The page's side

  return {
    open, close, toggle, leave,
    /* Shows what is new before the first use: only to those who have asked in this browser, without a name. */
    remember: () => who.signer || silent || news(),
    async search(text = "") {
      if (silent) return answered(text);
      await type(text);
    },
    async ask(text = "") {
      if (silent) return post("/intents", { intent_id: random(), query: text, trigger: "unsolved", context: about() }).then((said) => report(text, said) || said);
      await type(text);
      ask("unsolved", input.value); // a line of text: it has no line breaks
    },
    async suggest(given = {}) {
      const here = given.context || about(), found = here ? await suggestions(here) : [], mark = random();
      if (found[0] && !silent && !anchor && !isOpen() && kept(`kb-nudge:${here}`, mark, "sessionStorage") === mark) remind(found[0]);
      return found;
    },
    /* Another person sits here now, or nobody: nothing of the last one stays. */
    forget() {
      state = anew();
      receipt = null;
      nudge?.remove();
      badge();
      if (!panel) return;
      input.value = "";
      blank();
    },
    destroy() {
      close();
      clearTimeout(timer);
      latest.abort();
      removeEventListener("pagehide", leave);
      if (anchor) root.remove();
      else host.remove();
    },
  };

  async function type(text) {
    const me = who;
    await open();
    same(me);
    input.value = text;
    look();
  }

  function answered(text) {
    return find(text).then((answer) => emit("search", { query: text, verdict: answer.verdict }) || answer);
  }

  function remind({ title, url }) {
    nudge?.remove();
    nudge = el("div", { class: "nudge", part: "nudge", role: "status" },
      button(title, () => open().then(() => go(url)), "quiet"), button(t("关闭"), () => nudge.remove(), "quiet"));
    root.append(nudge);
  }
}


const commands = {
  ...Object.fromEntries(["open", "close", "toggle", "search", "ask", "suggest"].map((name) => [name, (...given) => front()[name](...given)])),
  /* Says where in the page somebody is, for what is shown before they type, from the next opening on. */
  context(where) {
    context = where || "";
  },
  /* Takes a token of the person's identity, or what makes one; null signs out. */
  identify(given) {
    who.gone = true;
    boxes.forEach((box) => box.leave());
    who = { signer: given && (typeof given === "function" ? given : () => given) };
    boxes.forEach((box) => box.forget());
  },
  on: (name, listener) => EVENTS_TOLD.includes(name) ? listeners.push({ name, listener }) : unknown(name, EVENTS_TOLD),
  off(name, listener) {
    listeners = listeners.filter((one) => one.name !== name || one.listener !== listener);
  },
  /* Makes the boxes anew, with other options than the tag's where some are given. */
  init(given = script.dataset) {
    clear();
    options = { kb: script.dataset.kb, ...checked(given) };
    document.querySelectorAll("kb-search").forEach(mount);
    if (options.mode !== "inline") boxes.add(main = start(options));
  },
  destroy() {
    who.gone = true;
    clear();
    [who, context, listeners] = [{}, "", []];
  },
};

function clear() {
  boxes.forEach((box) => box.destroy());
  boxes.clear();
  main = null;
}

/* Returns the box that the page means when it says no other. */
function front() {
  const [first] = boxes;
  if (!first) throw new Error('nothing is here: call kb("init")');
  return main || first;
}

/* Puts a box into a <kb-search> element. */
function mount(element) {
  element.box = start({ ...options, ...checked(element.dataset) }, element);
  boxes.add(element.box);
}

safely(() => {
  if (!(script instanceof HTMLScriptElement) || !script.src) return warn("load it by a plain <script src>");
  if (window.kb?.push) return warn("it is here already");
  base = new URL(script.src).origin;
  const kb = safely((command, ...given) => {
    const names = Object.keys(commands);
    return names.includes(command) ? commands[command](...given) : unknown(`kb("${command}")`, names);
  });
  const install = safely(() => {
    const before = window.kb;
    if (before === undefined || /\bq\b/.test(before)) window.kb = kb;
    else warn("window.kb is taken");
    commands.init();
    customElements.define("kb-search", class extends HTMLElement {
      connectedCallback() {
        if (!this.box) safely(mount)(this);
      }
      disconnectedCallback() {
        safely(() => this.box.destroy() || boxes.delete(this.box))();
        this.box = null;
      }
    });
    kb.push = (one) => kb(...one);
    (window.requestIdleCallback || setTimeout)(() => main?.remember());
    if (window.kb === kb && before) [...before.q || []].forEach(kb.push);
    kb.q = kb; // the stub may be held by the page: what it is told still comes here
  });
  if (document.body) install();
  else document.addEventListener("DOMContentLoaded", install);
})();
