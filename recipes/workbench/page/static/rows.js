// Rows of a console: its frames, and how its connection ended.
import { element } from "./dom.js";

export const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

/** A row that says something. */
export const row = (name, text) => element("li", { class: name }, element("p", {}, text));

/** The row of a frame. */
export function frameRow({ at, sent, kind, size, final, text, json, hex, left_out }) {
  const way = sent ? "sent" : "received";
  const kinds = ["ping", "pong"].includes(kind) ? "control" : kind;
  const part = kind === "continuation" || !final ? (final ? ", the last part" : ", to be continued") : "";
  const made = element("li", { class: `frame ${way} ${kinds}` });
  made.append(element("p", { class: "meta" }, `${at.toFixed(3)} s · ${way} ${kind}${part} · ${count(size, "byte")}`));
  if (json) {
    // Open it is unfolded, closed it is as it came.
    const summary = element("summary", {}, element("span", { class: "raw" }, text));
    made.append(element("details", { open: json.length < 1000 }, summary, element("pre", {}, json)));
  } else if (text !== null || hex) {
    made.append(element("pre", {}, text ?? hex));
  }
  if (left_out) made.append(element("p", { class: "meta" }, `${count(left_out, "byte")} more left out`));
  return made;
}

/** The row of how a connection ended, and a sentence for those who hear the page. */
export function endRow(end) {
  if (end.kind === "failed") return [row("end", end.sentence), end.sentence];
  if (end.kind === "refused") {
    const text = `Refused: HTTP ${end.status}`;
    const headers = end.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
    const made = row("end", text);
    made.append(element("pre", { tabIndex: 0 }, headers));
    made.append(element("pre", { tabIndex: 0 }, end.body || "(no body)"));
    if (end.left_out) made.append(element("p", {}, `${count(end.left_out, "byte")} more left out`));
    return [made, `${text}.`];
  }
  const { by, code, name, reason } = end;
  const who = by === "server" ? "the server" : "this console";
  const how = code === 1006 ? `Cut by ${who}, without a close frame` : `Closed by ${who}`;
  const text = `${how}: ${code} ${name}`;
  const made = row("end", text);
  if (reason) made.append(element("p", {}, "Reason: ", element("q", {}, reason)));
  return [made, `${text}${reason && `, ${reason}`}.`];
}
