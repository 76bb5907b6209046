// What a console has seen, as plain values: they are shown as rows, kept, filtered and saved.

export const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

/** Whether a record is about a ping or a pong. */
export const isControl = ({ row, kind }) => row === "frame" && ["ping", "pong"].includes(kind);

/** Whether the words are in what a record shows. */
export function holds(record, words) {
  const { text, hex, sentence, sent, received, headers, body, reason } = record;
  return [text, hex, sentence, sent, received, headers, body, reason]
    .some((each) => typeof each === "string" && each.toLowerCase().includes(words));
}

/** What a record says in a line, to be heard or found. */
export const words = ({ text, reason }) => `${text}${reason ? `, ${reason}` : ""}.`;

/** Something that the console itself says. */
export const note = (row, text) => ({ row, text });

/** A handshake that was accepted. */
export function handshakeRecord({ sent, received }) {
  const chosen = /^sec-websocket-protocol: (.*)$/im.exec(received)?.[1];
  return { row: "handshake", text: `Connected${chosen ? `, subprotocol ${chosen}` : ""}`, sent, received };
}

/** The answer to a plain request. */
export function answerRecord({ method, url, answer }) {
  const { status, headers, body, left_out, took } = answer;
  const text = `${method} ${new URL(url).pathname}: HTTP ${status}, ${took.toFixed(3)} s`;
  const lines = headers.map(([name, value]) => `${name}: ${value}`).join("\n");
  return { row: "answer", text, headers: lines, body: body + (left_out ? "\n… more is left out" : "") };
}

/** The record of how a connection ended. */
export function endRecord(end) {
  if (end.kind === "failed") return { row: "end", text: end.sentence, about: "no-connection" };
  if (end.kind === "refused") {
    const headers = end.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
    const body = (end.body || "(no body)") + (end.left_out ? `\n${count(end.left_out, "byte")} more left out` : "");
    const about = "the-handshake-is-refused";
    return { row: "end", text: `Refused: HTTP ${end.status}`, headers, body, why: end.why, about };
  }
  const { by, code, name, reason, why } = end;
  const who = by === "server" ? "the server" : "this console";
  const how = code === 1006 ? `Cut by ${who}, without a close frame` : `Closed by ${who}`;
  return { row: "end", text: `${how}: ${code} ${name}`, reason, why, about: "closed-with-a-code" };
}
