// What every page does: `/` goes to the search box, “有帮助吗” answers in place, and a reply that is on screen counts as seen.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const box = document.querySelector("input[name=q]");
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-helpful]");
  if (!form) return;
  event.preventDefault();
  const data = new FormData(form);
  const helpful = event.submitter.value === "yes";
  const thanks = form.querySelector("[data-thanks]");
  const body = JSON.stringify({ article: data.get("article"), anchor: data.get("anchor"), helpful });
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    await answer.text();
    if (!answer.ok) throw new Error(answer.status);
    thanks.textContent = helpful ? "谢谢，记下了。" : "谢谢。还没解决的话，请在下面记下你的问题，会有人回答。";
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button === event.submitter));
    if (!helpful) document.querySelector("[data-unsolved] button, [data-ask-again] input[name=q]")?.focus();
  } catch {
    thanks.textContent = "没能记下，请检查网络后再点一次。";
  }
});

const again = document.querySelector("[data-ask-again] input[name=q]");
if (again) {
  try {
    again.value ||= sessionStorage.getItem("kb-question") ?? "";
  } catch {
    // without storage the box stays empty
  }
}

const seen = document.querySelector("[data-seen]");
if (seen) {
  const token = new URL(seen.action).pathname.split("/").at(-2);
  fetch(`/api/v1/tickets/${token}/seen`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ last: Number(seen.elements.last.value) }) })
    .then((answer) => answer.text())
    .catch(() => {}); // the next visit says it again
}

// What somebody writes survives an ended session, an error or a look elsewhere, until it has been sent.
const sent = ["reply", "resolve", "details", "reopen"].includes(new URLSearchParams(location.search).get("done"));
for (const area of document.querySelectorAll("textarea[data-keep]")) {
  const key = `kb-kept ${location.pathname.match(/^\/\w+\/[^/]+/)?.[0]} ${area.id}`;
  try {
    if (sent) sessionStorage.removeItem(key);
    area.value ||= sessionStorage.getItem(key) ?? "";
    area.addEventListener("input", () => sessionStorage.setItem(key, area.value));
  } catch {
    // without storage the text lives as long as the page
  }
}
