// Questions to choose from while one types, at a box whose page shows no results: the combobox with a listbox of the ARIA practices.
// They only help: without network there are none, and the form works as it does without JavaScript.
const box = document.querySelector("[data-suggest]");
const list = Object.assign(document.createElement("ul"), { id: "choices", className: "choices", hidden: true });
const status = Object.assign(document.createElement("p"), { className: "hidden" });

const DEBOUNCE = 110; // ms
const LIVE_COMPOSITION = /Android/.test(navigator.userAgent); // as in search.js

let [debounce, running] = [0, null];
let composing = false;
let active = -1; // the choice that the arrow keys are on

for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" })) {
  box.setAttribute(name, value);
}
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "大家这样问");
status.setAttribute("role", "status");
box.parentElement.append(list);
box.form.append(status);

async function look(text) {
  running?.abort();
  const mine = running = new AbortController();
  try {
    const answer = await fetch(`/api/v1/suggest?${new URLSearchParams({ q: text })}`, { signal: mine.signal });
    const { suggestions } = await answer.json();
    if (mine === running) offer(suggestions.filter((one) => one !== text));
  } catch {
    if (mine === running) close();
  }
}

function offer(questions) {
  list.replaceChildren(...questions.map((question, at) => {
    const choice = Object.assign(document.createElement("li"), { id: `choice-${at}`, textContent: question });
    choice.setAttribute("role", "option");
    return choice;
  }));
  flip(questions.length > 0);
  list.scrollIntoView({ block: "nearest" });
  status.textContent = questions.length ? `有 ${questions.length} 个现成的问法，按上下键选` : "";
}

function flip(open) {
  list.hidden = !open;
  box.setAttribute("aria-expanded", String(open));
  mark(-1);
}

// Closes the list, and sees to it that nothing on its way opens it again.
function close() {
  clearTimeout(debounce);
  running?.abort();
  running = null;
  status.textContent = "";
  flip(false);
}

function mark(at) {
  active = at;
  [...list.children].forEach((choice, number) => choice.setAttribute("aria-selected", String(number === at)));
  if (at < 0) return box.removeAttribute("aria-activedescendant");
  box.setAttribute("aria-activedescendant", list.children[at].id);
  list.children[at].scrollIntoView({ block: "nearest" });
}

function take(choice) {
  box.value = choice.textContent;
  close();
  box.form.querySelector("button").click(); // as Enter does
}

box.addEventListener("input", () => (LIVE_COMPOSITION || !composing) && wait());
box.addEventListener("compositionstart", () => {
  composing = true;
  close();
});
box.addEventListener("compositionend", () => {
  composing = false;
  wait();
});
box.form.addEventListener("submit", (event) => composing && !LIVE_COMPOSITION && event.preventDefault()); // an Enter that an input method let through

function wait() {
  clearTimeout(debounce);
  const text = box.value.trim();
  if (text) debounce = setTimeout(look, DEBOUNCE, text);
  else close();
}

box.addEventListener("keydown", (event) => {
  if (event.isComposing || event.keyCode === 229) return; // the input method's
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && list.children.length) {
    const places = list.children.length + 1; // one is the box itself
    const at = list.hidden ? -1 : active;
    if (list.hidden) flip(true);
    mark(((at + 1 + step + places) % places) - 1);
  } else if (event.key === "Enter" && active >= 0) take(list.children[active]);
  else if (event.key === "Escape" && !list.hidden) close();
  else return;
  event.preventDefault();
});
box.addEventListener("blur", close);
list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
list.addEventListener("click", (event) => event.target.closest("[role=option]") && take(event.target.closest("[role=option]")));
