// The exercise's file and its editor: read, typed, kept, saved; and both changed at once.
import { find } from "../dom.js";
import { Editor } from "./editor.js";
import { always } from "../kept.js";
import { call, on, onLost } from "../live.js";

const MOST_BYTES = 2 ** 20;
const DRAFT = "draft of exercise.py";

const place = find("#panel-exercise");
const conflict = find("#conflict");
export const editor = new Editor(find(".code-editor", place), typed);

// The file as it was read last, on which what is typed is based.
let base = null;
// The file as it is now, if it became another while something was typed.
let theirs = null;
let saving = null;
let keeping;

const dirty = () => base !== null && editor.text !== base.text;

function say(words, trouble = false) {
  const state = find("#file-state");
  if (state.textContent !== words) state.textContent = words;
  state.classList.toggle("trouble", trouble);
  find("#save").classList.toggle("filled", dirty() || theirs !== null);
}

function typed() {
  say(dirty() ? "Not saved yet" : "As in the file");
  clearTimeout(keeping);
  keeping = setTimeout(keep, 300);
}

/** Keep what is typed and not saved; forget it when it is saved. */
function keep() {
  clearTimeout(keeping);
  if (base === null) return;
  if (dirty()) {
    const kept = always.keep(DRAFT, { text: editor.text, hash: base.hash });
    if (!kept) say("Not saved, and the browser cannot keep it: save it soon.", true);
  } else if (always.recall(DRAFT)?.text === editor.text) {
    always.forget(DRAFT);
  }
}
addEventListener("pagehide", keep);
document.addEventListener("visibilitychange", keep);

on("source", ({ text, hash, trouble }) => {
  const first = base === null;
  if (trouble) {
    editor.area.readOnly = true;
    say(`${trouble} It cannot be edited here.`, true);
    return;
  }
  editor.area.readOnly = false;
  const now = { text, hash };
  if (first) begin(now);
  else if (editor.text === text || !dirty()) take(now, first);
  else if (hash !== base.hash) ask(now);
});

/** The first thing that the page hears of the file; something may have been typed before. */
function begin(now) {
  const draft = always.recall(DRAFT);
  base = now;
  editor.show(now.text);
  if (typeof draft?.text !== "string" || draft.text === now.text) {
    say("As in the file");
    return;
  }
  editor.show(draft.text);
  say("Typed here before, and not saved yet");
  if (draft.hash !== now.hash) ask(now);
}

/** The file's text, in the place of one that was not typed. */
function take(now) {
  const changed = now.text !== editor.text;
  if (changed) editor.show(now.text);
  if (now.hash !== base.hash) say(changed ? "Changed outside, and read again" : "As in the file");
  base = now;
  settle();
  keep();
}

function ask(now) {
  theirs = now;
  conflict.hidden = false;
  say("Not saved: the file has changed", true);
}

function settle() {
  theirs = null;
  conflict.hidden = true;
}

find(".mine", conflict).addEventListener("click", () => {
  base = theirs;
  settle();
  save();
  editor.area.focus();
});
find(".theirs", conflict).addEventListener("click", () => {
  const { text } = (base = theirs);
  settle();
  editor.replace(text);
  say("As in the file; undo brings back what you had typed");
});

export function save() {
  if (base === null || editor.area.readOnly || saving !== null) return;
  const { text } = editor;
  if (theirs !== null) {
    find(".mine", conflict).focus();
    return;
  }
  if (new TextEncoder().encode(text).length > MOST_BYTES) {
    say("Not saved: it is over 1 MiB.", true);
    return;
  }
  keep();
  // Half a surrogate pair, which no file can hold, becomes a question mark in a box.
  if (!call("save", { text: text.toWellFormed?.() ?? text, base: base.hash })) return;
  saving = text;
  say("Saving…");
}

on("written", ({ outcome, hash, sentence }) => {
  const text = saving;
  saving = null;
  if (outcome === "saved") {
    base = { text, hash };
    settle();
    say(dirty() ? "Saved; not what was typed since" : "Saved");
    keep();
  } else if (outcome === "refused") {
    say(`${sentence} It is kept in the browser.`, true);
  }
  // What it changed to came before; and that is asked about.
});
onLost(() => {
  if (saving !== null) say("Not known to be saved: the workbench is gone. It is kept in the browser.", true);
  saving = null;
});

find("#save").addEventListener("click", save);
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s" || event.altKey || event.shiftKey) return;
  if (place.hidden) return;
  event.preventDefault();
  save();
});
find("#edit")?.addEventListener("click", () => call("edit"));
