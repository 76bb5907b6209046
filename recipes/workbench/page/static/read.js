// Text, code and exercise: three tabs, and the files' source.
import { find } from "./dom.js";
import { on, recipe } from "./live.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const file = find("#file");

/** Show a tab: "text", "code" or "exercise". */
export function show(name, focus = false) {
  const another = find("[role=tab][aria-selected=true]").id !== `tab-${name}`;
  if (another) dispatchEvent(new Event("tab-leaves"));
  for (const tab of tabs) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    find(`#${tab.getAttribute("aria-controls")}`).hidden = !chosen;
    if (chosen && focus) tab.focus();
  }
  if (name === "code") load();
  if (another) dispatchEvent(new Event("tab-shown"));
}

async function load() {
  const name = file.value;
  const answer = await fetch(`/${recipe}/files/${name}`).catch(() => ({ ok: false }));
  if (name !== file.value) return; // another was chosen meanwhile
  // Colours come as HTML, made by the workbench from escaped source.
  if (answer.ok) find("#source").innerHTML = await answer.text();
  else find("#source").textContent = `${name} cannot be read.`;
  find("#file-note").textContent = "";
}

/** A tab that was chosen has an address, so that Back leads to the one before. */
function choose(name, focus = false) {
  if (location.hash !== `#${name}`) history.pushState(null, "", `#${name}`);
  show(name, focus);
}

// A link to a tab or a file opens it here; a link to a heading opens the text.
function follow() {
  const target = decodeURIComponent(location.hash.slice(1));
  const name = target.startsWith("file:") ? target.slice(5) : null;
  if (["", "text", "code", "exercise"].includes(target)) {
    show(target || "text");
    return;
  }
  if (name !== null && [...file.options].some((option) => option.value === name)) {
    file.value = name;
    show("code");
    find("#tab-code").scrollIntoView({ block: "nearest" });
  } else if (target && find("#panel-text").contains(document.getElementById(target))) {
    show("text");
    document.getElementById(target).scrollIntoView();
  }
}

for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab.id.slice("tab-".length)));
  tab.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    choose(next.id.slice("tab-".length), true);
  });
}
file.addEventListener("change", load);
addEventListener("hashchange", follow);
// A link to where the address leads already changes nothing there.
document.addEventListener("click", ({ target }) => {
  const link = target.closest?.("a[href]");
  if (link?.hash && link.href === location.href) follow();
});
follow();

on("saved", ({ files }) => {
  if (files.includes(file.value) && !find("#panel-code").hidden) {
    load().then(() => (find("#file-note").textContent = "read again: it was saved"));
  }
});
