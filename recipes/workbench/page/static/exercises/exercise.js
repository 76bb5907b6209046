// The exercise: its tasks as they are judged. Beside it lie its editor, hints and end.
import { element, find } from "../dom.js";
import { finish } from "./finished.js";
import { hintsFor } from "./hints.js";
import { call, on } from "../live.js";
import { editor } from "./source.js";

const MARKS = { waiting: "… waits", running: "▸ runs", passed: "✓ passed", failed: "✗ failed", "": "· to do" };

function words({ trouble, judging, begun, done, tasks }) {
  if (trouble) return trouble;
  if (!tasks.length) return judging ? "Judging…" : "Reading the tasks…";
  const score = `${done} of ${tasks.length} tasks passed`;
  if (judging) return `Judging… ${score} so far.`;
  if (done === tasks.length) return "All tasks passed. Compare with the solution, or go on.";
  return begun || tasks.some(({ state }) => state) ? `${score}.` : "Not begun: the file is as it was given.";
}

on("exercise", (news) => {
  const { tasks, done, solution } = news;
  const place = find("#verdict");
  if (place.textContent !== words(news)) place.textContent = words(news);
  const bar = find("#done");
  bar.max = tasks.length || 1;
  bar.value = done;
  find("#solution").hidden = !solution;
  finish(news.passed);
  const list = find("#tasks");
  while (list.childElementCount > tasks.length) list.lastElementChild.remove();
  const first = tasks.findIndex(({ state }) => state === "failed");
  tasks.forEach((task, n) => show(task, rowFor(list, task, n), n === first));
  if (!news.judging) point(tasks[first]?.failure ?? "");
});

function show(task, row, isFirst) {
  row.dataset.state = task.state;
  find(".mark", row).textContent = MARKS[task.state];
  find(".level", row).textContent = task.level === "core" ? "" : ` (${task.level})`;
  find(".hints", row).hidden = task.state === "passed";
  const story = find("details", row);
  // The first failure is enough to go on with; the others wait behind a click.
  if (story.hidden || find("pre", row).textContent !== task.failure) story.open = isFirst;
  story.hidden = !task.failure;
  find("pre", row).textContent = task.failure;
}

/** The row of the n-th task; a new one if that was another task's. */
function rowFor(list, task, n) {
  const old = list.children[n];
  if (old?.dataset.task === task.name && old.title_ === task.title) return old;
  const story = element("details", { hidden: true }, element("summary", {}, "What happened"));
  story.append(element("pre", { tabIndex: 0 }));
  const title = element("span", { class: "title" }, ...withCode(task.title));
  const line = element("div", {}, element("span", { class: "mark" }), title);
  line.append(element("span", { class: "level" }));
  const row = element("li", { class: "task" }, line, story, hintsFor(task.name));
  row.dataset.task = task.name;
  row.title_ = task.title;
  if (old) old.replaceWith(row);
  else list.append(row);
  return row;
}

/** What stands between backticks is code. */
function withCode(text) {
  return text.split("`").map((part, n) => (n % 2 ? element("code", {}, part) : part));
}

/** Mark the line of the file that a failure is about, if it names one. */
function point(failure) {
  const [, what, line] = /^(Your app raised|.*?(?:error|loaded|program).*?) on line (\d+)/m.exec(failure)
    ?? /()on line (\d+)/.exec(failure) ?? [];
  const said = what !== undefined && failure.split("\n").find((each) => each.includes(`on line ${line}`));
  const place = find("#marked");
  editor.mark(Number(line) || 0);
  place.hidden = !said;
  find("span", place).textContent = said || "";
  find("button", place).textContent = `Go to line ${line}`;
  place.dataset.line = line ?? "";
}
find("#marked button").addEventListener("click", () => editor.go(Number(find("#marked").dataset.line)));

find("#check").addEventListener("click", () => call("check"));
