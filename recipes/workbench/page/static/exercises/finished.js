// After the last task: the reference, beside what was written; and starting over.
import { element, find } from "../dom.js";
import { forget } from "./hints.js";
import { call, on } from "../live.js";

let passed = false;

/** Whether all tasks are passed by now. */
export function finish(isPassed) {
  passed = isPassed;
  find("#finished").hidden = !passed;
}

/** Ask before something is done; resolves to whether it shall be. */
function sure(title, text, yes) {
  const dialog = find("#sure");
  find("h2", dialog).textContent = title;
  find("form > p", dialog).textContent = text;
  find("button[value=yes]", dialog).textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

find("#solution").addEventListener("click", async () => {
  if (passed) call("solution");
  else if (await sure("Not passed yet", "You learn more from the hints.", "Show me anyway")) {
    call("solution", { anyway: true });
  }
});
find("#reset").addEventListener("click", async () => {
  const text = "The file becomes as it was given. A copy of your work is kept beside it.";
  if (await sure("Start over?", text, "Start over")) call("reset");
});

// What each sign of a diff means: said, since colour alone says nothing.
const KINDS = { "-": "del", "+": "ins", "@": "span", " ": "span" };

on("solution", ({ html, beside }) => {
  const place = find("#shown-solution");
  place.hidden = !html;
  if (!html) return;
  // Colours come as HTML, made by the workbench from escaped source.
  find(".reference", place).innerHTML = html;
  const lines = beside.map(([sign, line]) =>
    element(KINDS[sign], { class: sign === "@" ? "left-out" : "" }, sign === "@" ? "⋮\n" : `${sign} ${line}\n`));
  find(".beside", place).replaceChildren(...lines);
  find(".beside", place).parentElement.hidden = !lines.length;
  find(".same", place).hidden = lines.length > 0;
  place.scrollIntoView({ block: "nearest" });
  find("h3", place).focus({ preventScroll: true });
});
on("reset", ({ kept }) => {
  forget();
  find("#shown-solution").hidden = true;
  find("#started-over").textContent = kept ? `Your work is kept in ${kept}.` : "It was as it was given.";
});
