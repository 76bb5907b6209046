// Where one was in each tab, and beside it: there again after a reload, or on the way back.
import { find } from "./dom.js";
import { session } from "./kept.js";

const read = find("#read");
const run = find("#work");
const kept = session.recall("scrolled", {});
const tabNow = () => find("[role=tab][aria-selected=true]").id;
let tab = tabNow();

// On a narrow screen the page itself scrolls, and not its columns.
const within = () => (getComputedStyle(read).overflowY === "auto" ? read : document.scrollingElement);

function note() {
  kept[tab] = within().scrollTop;
  kept.run = run.scrollTop;
}

addEventListener("tab-leaves", note);
addEventListener("tab-shown", () => {
  tab = tabNow();
  within().scrollTop = kept[tab] ?? 0;
});
addEventListener("pagehide", () => {
  note();
  session.keep("scrolled", kept);
});

// An address that names a heading leads there; one that names a tab, to where one was.
if (/^#?(text|code|exercise)?$/.test(location.hash)) within().scrollTop = kept[tab] ?? 0;
run.scrollTop = kept.run ?? 0;
