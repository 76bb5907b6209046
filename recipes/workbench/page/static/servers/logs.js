// What the servers print: the log of the chosen one is docked below the consoles.
import { find } from "../dom.js";
import { session } from "../kept.js";
import { on, onLost } from "../live.js";
import { appendLine } from "./frames.js";

const MOST_LINES = 1000;
const place = (app) => find(`[data-log="${app}"]`);
const which = find("#which-log");
const dock = find("#dock");
let counts = {};

/** Show the log of an app: in the dock, or in its own place, as the exercise's is. */
export function chooseLog(app) {
  const own = place(app)?.closest("details");
  if (own) own.open = true;
  if (![...which.options].some(({ value }) => value === app)) return;
  which.value = app;
  for (const log of dock.querySelectorAll("[data-log]")) log.hidden = log.dataset.log !== app;
  const lines = find("pre", place(app));
  lines.scrollTop = lines.scrollHeight;
}
which.addEventListener("change", () => chooseLog(which.value));
if (which.value) chooseLog(which.value);

const fold = find("#fold-log");
function folded(hidden) {
  dock.classList.toggle("folded", hidden);
  fold.textContent = hidden ? "Show" : "Hide";
  fold.setAttribute("aria-expanded", !hidden);
  session.keep("log folded", hidden);
}
fold.addEventListener("click", () => folded(!dock.classList.contains("folded")));
folded(session.recall("log folded", false));

// Who connects again is told the whole log again.
onLost(() => {
  counts = {};
  document.querySelectorAll("[data-log] pre").forEach((log) => log.replaceChildren());
});

on("log", ({ app, lines, left_out }) => {
  const within = place(app);
  if (!within) return;
  const log = find("pre", within);
  const count = (counts[app] ??= { left: 0 });
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  for (const line of lines) {
    const kind = /^(WARNING|ERROR|CRITICAL|Traceback|\w*(Error|Exception|Disconnect)\b)/.exec(line);
    const name = line.startsWith("--- ") ? "note" : kind ? "bad" : "";
    appendLine(log, line, name);
  }
  count.left += left_out;
  while (log.childElementCount > MOST_LINES) {
    log.firstElementChild.remove();
    count.left += 1;
  }
  const note = find(".left-out", within);
  note.hidden = !count.left;
  note.textContent = `${count.left.toLocaleString("en")} earlier lines are left out.`;
  if (atEnd) log.scrollTop = log.scrollHeight;
});
