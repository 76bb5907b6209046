// The hints of an exercise, each inside its task.
import { element, find } from "../dom.js";
import { session } from "../kept.js";
import { call, on } from "../live.js";

// How many hints of each task have been asked for.
let asked = session.recall("hints", {});
const shown = new Map();

/** Where the hints of a task are shown, with the button for the next; for its row. */
export function hintsFor(task) {
  const button = element("button", { type: "button", class: "hint-button" }, "Hint");
  const place = element("div", { class: "hints" }, element("div", { role: "status" }), button);
  button.addEventListener("click", () => ask(task, (shown.get(task) ?? 0) + 1));
  place.dataset.task = task;
  // Those that were shown before a reload.
  if (asked[task]) ask(task, 1);
  return place;
}

function ask(task, n) {
  asked[task] = Math.max(n, asked[task] ?? 0);
  session.keep("hints", asked);
  call("hint", { task, n });
}

on("hint", ({ task, n, total, text }) => {
  const place = find(`.hints[data-task="${task}"]`);
  if (!place || n <= (shown.get(task) ?? 0)) return;
  shown.set(task, n);
  find("div", place).append(element("p", {}, `Hint ${n} of ${total}: ${text}`));
  const button = find("button", place);
  if (n === total && document.activeElement === button) place.closest("li").querySelector("summary")?.focus();
  button.hidden = n === total;
  button.textContent = "Next hint";
  if (n < Math.min(total, asked[task] ?? 0)) call("hint", { task, n: n + 1 });
  else place.scrollIntoView({ block: "nearest" });
});

/** Begin anew, as the exercise does. */
export function forget() {
  asked = {};
  shown.clear();
  session.keep("hints", asked);
  for (const place of document.querySelectorAll(".hints")) {
    find("div", place).replaceChildren();
    find("button", place).hidden = false;
    find("button", place).textContent = "Hint";
  }
}
