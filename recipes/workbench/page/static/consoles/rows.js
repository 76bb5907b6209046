// Rows of a console: its frames, its handshake, and how its connection ended.
import { element } from "../dom.js";
import { decoded, unfold } from "./payload.js";
import { count, isControl } from "./records.js";

// Characters of JSON that stay on one line.
const SHORT = 72;

/** The row of a record; `again` is called with a frame that shall be sent again. */
export function rowOf(record, again) {
  switch (record.row) {
    case "frame":
      return frameRow(record, again);
    case "handshake":
      return folded("note accepted", record.text, record.sent, record.received);
    case "end":
      return endRow(record);
    case "answer":
      return folded("note answer", record.text, record.headers, record.body, decoded(record.body));
    default:
      return element("li", { class: `note ${record.row}` }, record.text);
  }
}

function folded(name, text, ...parts) {
  const made = element("details", {}, element("summary", {}, text));
  for (const part of parts) if (part) made.append(element("pre", { tabIndex: 0 }, part));
  return element("li", { class: name }, made);
}

function frameRow(frame, again) {
  const { at, sent, kind, size, final, text, hex, left_out } = frame;
  const way = sent ? "sent" : "received";
  const kinds = isControl(frame) ? "control" : kind;
  const part = kind === "continuation" || !final ? (final ? ", the last part" : ", to be continued") : "";
  const made = element("li", { class: `frame ${way} ${kinds}` });
  const json = text && !left_out ? unfold(text) : null;
  if (json && text.length > SHORT) {
    // Open it is unfolded, closed it is as it came.
    const summary = element("summary", {}, element("span", { class: "raw" }, text));
    made.append(element("details", { open: json.length < 1000 }, summary, element("pre", {}, json)));
  } else if (text !== null || hex) {
    made.append(element("pre", {}, text ?? hex));
  }
  // Which way it went is drawn; and text is what most are.
  const kindOf = element("span", { class: kind === "text" && !part ? "visually-hidden" : "" }, `${way} ${kind}${part} · `);
  const meta = element("p", { class: "meta" }, `${at.toFixed(3)} s · `, kindOf, count(size, "byte"));
  if (left_out) meta.append(`, ${count(left_out, "byte")} more left out`);
  if (sent && !left_out && ["text", "binary"].includes(kind)) {
    // ↑ does the same from the keyboard: thousands of rows must not be stops on the way.
    const button = element("button", { type: "button", class: "again", title: "Send it again", tabIndex: -1 }, "↻");
    button.setAttribute("aria-label", "Send it again");
    button.addEventListener("click", () => again(frame));
    meta.append(button);
  }
  made.append(meta);
  return made;
}

function endRow({ text, reason, why, about, headers, body, sent }) {
  const made = element("li", { class: "end" }, element("p", {}, text));
  if (reason) made.append(element("p", {}, "Reason: ", element("q", {}, reason)));
  if (about) {
    const more = element("a", { href: `/symptoms#${about}`, target: "_blank" }, "When you see …");
    made.append(element("p", { class: "why" }, why ? `What it means: ${why}. ` : "", more));
  }
  if (headers !== undefined) made.append(element("pre", { tabIndex: 0 }, headers));
  if (body) made.append(element("pre", { tabIndex: 0 }, body));
  if (sent) made.append(folded("", "The request", sent).firstChild);
  return made;
}
