// The exercise: its tasks as they are judged, hints, the solution, starting over.
import { element, find } from "./dom.js";
import { call, on } from "./live.js";

const MARKS = { waiting: "… waits", running: "▸ runs", passed: "✓ passed", failed: "✗ failed", "": "· to do" };
let hinted = { task: "", n: 0 };
let passed = false;

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
  passed = news.passed;
  const place = find("#verdict");
  if (place.textContent !== words(news)) place.textContent = words(news);
  const bar = find("#done");
  bar.max = tasks.length || 1;
  bar.value = done;
  find("#solution").hidden = !solution;
  const list = find("#tasks");
  while (list.childElementCount > tasks.length) list.lastElementChild.remove();
  const first = tasks.findIndex(({ state }) => state === "failed");
  tasks.forEach((task, n) => {
    const row = list.children[n] ?? list.appendChild(newRow());
    row.dataset.state = task.state;
    find(".mark", row).textContent = MARKS[task.state];
    if (row.task !== task.title) find(".title", row).replaceChildren(...withCode(task.title));
    row.task = task.title;
    find(".level", row).textContent = task.level === "core" ? "" : ` (${task.level})`;
    const story = find("details", row);
    // The first failure is enough to go on with; the others wait behind a click.
    if (story.hidden || find("pre", row).textContent !== task.failure) story.open = n === first;
    story.hidden = !task.failure;
    find("pre", row).textContent = task.failure;
  });
});

/** What stands between backticks is code. */
function withCode(text) {
  return text.split("`").map((part, n) => (n % 2 ? element("code", {}, part) : part));
}

function newRow() {
  const story = element("details", { hidden: true }, element("summary", {}, "What happened"));
  story.append(element("pre", { tabIndex: 0 }));
  const line = element("div", {}, element("span", { class: "mark" }), element("span", { class: "title" }));
  line.append(element("span", { class: "level" }));
  return element("li", { class: "task" }, line, story);
}

find("#check").addEventListener("click", () => call("check"));
find("#hint").addEventListener("click", () => call("hint", { n: hinted.n + 1 }));
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

on("hint", ({ task, n, total, text }) => {
  const place = find("#hints");
  if (task !== hinted.task) {
    place.replaceChildren(element("h3", {}, "Hints for: ", ...withCode(task)));
    if (n !== 1) {
      // Another task is the first to fail now: begin with its first hint.
      hinted = { task, n: 0 };
      call("hint", { n: 1 });
      return;
    }
  }
  if (task === hinted.task && n === hinted.n) text = "That was the last hint.";
  place.append(element("p", {}, n === hinted.n && task === hinted.task ? text : `Hint ${n} of ${total}: ${text}`));
  hinted = { task, n };
  place.lastElementChild.scrollIntoView({ block: "nearest" });
});
on("solution", ({ html }) => {
  // Colours come as HTML, made by the workbench from escaped source.
  if (html) find("#shown-solution code").innerHTML = html;
  find("#shown-solution").hidden = !html;
  find("#shown-solution").scrollIntoView({ block: "nearest" });
});
on("reset", ({ kept }) => {
  hinted = { task: "", n: 0 };
  find("#shown-solution").hidden = true;
  const words = kept ? `Your work is kept in ${kept}.` : "It was as it was given.";
  find("#hints").replaceChildren(element("p", {}, words));
});
