// The asker's page while it is open: files are added and removed in place, and news is offered, never pushed in. Without this file all of it works by forms.
const page = document.querySelector("[data-ticket]");
const api = `/api/v1/tickets/${page.dataset.ticket}`;
const fresh = page.querySelector("[data-fresh]");
const LOOK_EVERY = 30_000; // ms
const MAX_FILE = 5 * 1024 * 1024;

function make(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

let looked = Date.now();

// Asks whether an agent has said something since this page was made, at most every 30 s and only while somebody looks at it.
async function look() {
  if (document.hidden || fresh.firstChild || Date.now() - looked < LOOK_EVERY) return;
  looked = Date.now();
  try {
    const answer = await fetch(api, { cache: "no-store" });
    const told = await answer.json();
    if (!answer.ok || (told.news_at ?? "") <= page.dataset.news) return;
    fresh.append(make("a", { href: location.pathname }, "有新回复 · 查看"));
  } catch {
    // without network there is no news
  }
}
setInterval(look, 1000);
document.addEventListener("visibilitychange", look);

const files = page.querySelector("[data-files]");
const form = files?.querySelector("[data-upload]");
const list = files?.querySelector("ul");

function sizeOf(bytes) {
  return bytes >= 1048576 ? `${(bytes / 1048576).toFixed(1)} MB` : `${Math.max(1, Math.round(bytes / 1024))} KB`;
}

// Sends one file and shows how much of it has arrived. Resolves to the server's answer; to null where there was none.
function send(file, bar) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("file", file, file.name);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) [bar.max, bar.value] = [event.total, event.loaded];
    };
    request.onload = () => {
      try {
        resolve(JSON.parse(request.responseText));
      } catch {
        resolve(null);
      }
    };
    request.onerror = request.onabort = () => resolve(null);
    request.open("POST", `${api}/files`);
    request.send(body);
  });
}

function problem(line, text, again) {
  const close = make("button", { type: "button", className: "link" }, again ? "再试一次" : "知道了");
  close.onclick = () => {
    line.remove();
    again?.();
    form.elements.file.focus();
  };
  line.replaceChildren(make("p", { className: "bad" }, text), close);
  line.firstChild.setAttribute("role", "alert");
}

function show(line, stored) {
  const path = new URL(stored.url).pathname;
  if (list.querySelector(`a[href="${path}"]`)) return problem(line, `“${stored.name}”这个文件已经添加过。`);
  const remove = make("form", { method: "post", action: `${path}/remove` });
  remove.dataset.remove = "";
  const name = make("span", { className: "hidden" }, ` ${stored.name}`);
  remove.append(form.elements.csrf_token.cloneNode(), make("button", { className: "link" }, "移除", name));
  line.replaceChildren(make("a", { href: path }, stored.name), make("span", { className: "where" }, sizeOf(stored.size)), remove);
}

async function add(file) {
  const bar = make("progress", { max: 1, value: 0 });
  bar.setAttribute("aria-label", `正在添加 ${file.name}`);
  const line = make("li", {}, make("span", {}, file.name), bar);
  list.append(line);
  if (file.size > MAX_FILE) return problem(line, `“${file.name}”太大：每个文件 5 MB 以内。截图可压缩或裁小，表格可只留相关的行。`);
  const told = await send(file, bar);
  if (told?.file) show(line, told.file);
  else problem(line, told?.error?.message ?? `“${file.name}”没有传完，请检查网络。`, told ? null : () => add(file));
}

if (form) {
  form.querySelector("button").hidden = true;
  form.elements.file.addEventListener("change", async () => {
    const chosen = [...form.elements.file.files];
    form.elements.file.value = "";
    for (const file of chosen) await add(file); // one after the other: the order is theirs, and the line is not shared
  });
  page.addEventListener("paste", (event) => [...(event.clipboardData?.files ?? [])].forEach(add)); // a screenshot
}

list?.addEventListener("submit", async (event) => {
  const remove = event.target.closest("[data-remove]");
  if (!remove) return;
  event.preventDefault();
  const line = remove.closest("li");
  const path = new URL(remove.action).pathname.replace(/^\/t\//, "/api/v1/tickets/");
  let told = null;
  try {
    told = await (await fetch(path, { method: "POST" })).json();
  } catch {
    // as refused
  }
  line.querySelector(".bad")?.remove();
  if (told?.status === "ok" || told?.error?.code === "not_found") {
    line.remove();
    form.elements.file.focus();
    return;
  }
  const why = make("p", { className: "bad" }, told?.error?.message ?? "没能移除，请检查网络后再点一次。");
  why.setAttribute("role", "alert");
  line.append(why);
});
