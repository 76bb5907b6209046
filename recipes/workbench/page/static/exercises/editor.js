// A plain editor: a textarea with line numbers, in which Tab indents.
import { element, find } from "../dom.js";

const INDENT = "    ";

export class Editor {
  /** Takes a `.code-editor`; `changed` is called when something was typed. */
  constructor(place, changed) {
    this.area = find("textarea", place);
    this.gutter = find(".gutter", place);
    this.lines = 0;
    this.marked = 0;
    this.leaving = false;
    this.area.addEventListener("input", () => {
      this.mark(0); // it was about the text before
      this.number();
      changed();
    });
    this.area.addEventListener("scroll", () => (this.gutter.scrollTop = this.area.scrollTop));
    this.area.addEventListener("keydown", (event) => this.press(event));
    this.area.addEventListener("blur", () => (this.leaving = false));
    this.number();
  }

  get text() {
    return this.area.value;
  }

  /** Show another text; what is in view, and the cursor, stay where they are. */
  show(text) {
    const { selectionStart, selectionEnd, scrollTop, scrollLeft } = this.area;
    this.area.value = text;
    this.area.setSelectionRange(selectionStart, selectionEnd);
    this.area.scrollTo(scrollLeft, scrollTop);
    this.number();
  }

  /** Take another text as if it were typed, so that undo brings back what was there. */
  replace(text) {
    this.area.focus();
    this.area.select();
    type(text);
    this.area.setSelectionRange(0, 0);
    this.area.scrollTo(0, 0);
  }

  /** Mark a line, which counts from 1; none with 0. */
  mark(line) {
    if (line === this.marked) return;
    this.marked = line;
    this.draw();
  }

  /** Put the cursor on a line, and the line into view. */
  go(line) {
    const before = this.text.split("\n").slice(0, line - 1);
    const at = before.reduce((sum, each) => sum + each.length + 1, 0);
    this.area.focus();
    this.area.setSelectionRange(at, at);
    const height = this.area.scrollHeight / Math.max(1, this.lines);
    this.area.scrollTop = Math.max(0, (line - 4) * height);
  }

  number() {
    const lines = this.text.split("\n").length;
    if (lines === this.lines) return;
    this.lines = lines;
    this.draw();
  }

  draw() {
    const upTo = (from, to) => Array.from({ length: Math.max(0, to - from) }, (_, n) => `${from + n + 1}\n`).join("");
    const { lines, marked } = this;
    if (!marked || marked > lines) this.gutter.replaceChildren(upTo(0, lines));
    else {
      const mark = element("mark", {}, `${marked}\n`);
      this.gutter.replaceChildren(upTo(0, marked - 1), mark, upTo(marked, lines));
    }
    this.gutter.scrollTop = this.area.scrollTop;
  }

  press(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    // Or who uses the keyboard alone would never get out again.
    if (event.key === "Tab" && this.leaving) return;
    if (event.key !== "Shift") this.leaving = event.key === "Escape";
    if (this.area.readOnly) return;
    if (event.key === "Tab") this.indent(event.shiftKey);
    else if (event.key === "Enter" && !event.shiftKey) this.breakLine();
    else return;
    event.preventDefault();
  }

  /** Indent the lines of the selection, or the cursor; or take one step back. */
  indent(back) {
    const { selectionStart: start, selectionEnd: end } = this.area;
    const first = this.text.lastIndexOf("\n", start - 1) + 1;
    const several = this.text.slice(start, end).includes("\n");
    if (!back && !several) {
      type(INDENT.slice((start - first) % INDENT.length));
      return;
    }
    // Of a selection that ends at the beginning of a line, that line is no part.
    const last = several && this.text[end - 1] === "\n" ? end - 1 : end;
    const next = this.text.indexOf("\n", last);
    const stop = next < 0 ? this.text.length : next;
    const before = this.text.slice(first, stop).split("\n");
    const after = before.map((line) => (back ? line.replace(/^(\t| {1,4})/, "") : line && INDENT + line));
    if (after.join("\n") === before.join("\n")) return;
    this.area.setSelectionRange(first, stop);
    type(after.join("\n"));
    const moved = after[0].length - before[0].length;
    const from = Math.max(first, start + moved);
    if (several) this.area.setSelectionRange(first, first + after.join("\n").length);
    else this.area.setSelectionRange(from, Math.max(from, end + moved));
  }

  /** A new line is indented as the one above, and a step more below a colon. */
  breakLine() {
    const { selectionStart: start } = this.area;
    const line = this.text.slice(this.text.lastIndexOf("\n", start - 1) + 1, start);
    const deeper = /:\s*(#.*)?$/.test(line) ? INDENT : "";
    type(`\n${/^[ \t]*/.exec(line)[0]}${deeper}`);
  }
}

/** Put text in the place of the selection; the browser can undo it. */
function type(text) {
  // The only way that keeps the browser's own undo. Old, and in every browser.
  document.execCommand(text ? "insertText" : "delete", false, text);
}
