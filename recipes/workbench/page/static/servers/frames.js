// A traceback in a log: the frames of libraries are folded, those of the workbook's files stay.
import { element, find } from "../dom.js";

// A fold holds so many lines at most; what comes then has a fold of its own.
const MOST_FOLDED = 200;
const FRAME = /^[\s|+]*File "([^"]*)", line \d+/;
const LIBRARY = /[\\/](site-packages|dist-packages|lib[\\/]python[\d.]+|Lib)[\\/]|^<frozen |[\\/]recipes[\\/]workbench[\\/]/;

/** Whether a line is the head of a frame, and then whether it is a library's. */
function frame(line) {
  const found = FRAME.exec(line);
  return found && LIBRARY.test(found[1]);
}

/** What stands below a frame's head: its source, and marks under that, both further in. */
const below = (line) => /^[\s|+]* {4}\S/.test(line);

/** Append a line of a log, into a fold if it is of a library's frame. */
export function appendLine(log, line, name) {
  const head = frame(line);
  let fold = log.lastElementChild;
  if (!fold?.matches("details")) fold = null;
  const within = head ?? (fold !== null && below(line));
  const piece = element("span", { class: name }, `${line}\n`);
  if (!within) return log.append(piece);
  if (fold === null || fold.childElementCount > MOST_FOLDED) {
    fold = element("details", { class: "frames" }, element("summary"));
    log.append(fold);
  }
  fold.append(piece);
  const count = Number(fold.dataset.frames ?? 0) + (head ? 1 : 0);
  fold.dataset.frames = count;
  find("summary", fold).textContent = `  ${count} ${count === 1 ? "frame" : "frames"} of libraries`;
}
