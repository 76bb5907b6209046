// What a console sends: its kinds, the draft, and what was sent before.
import { element, find } from "../dom.js";

const MOST = 30;
const NAMES = { close: "Reason", ping: "Payload", binary: "Bytes in hex: 00 ff", json: "JSON" };

export class Compose {
  /** Takes a console's place; `send` is called with what to send. */
  constructor(place, send) {
    this.console = place;
    this.place = find("form.send", place);
    this.fields = this.place.elements;
    this.error = find(".send-error", place);
    this.send = send;
    this.sent = [];
    this.at = 0; // which of `sent` is in the fields; after the last there is the draft
    this.place.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.fields.kind.addEventListener("change", () => this.fit());
    this.fields.data.addEventListener("keydown", (event) => this.press(event));
    this.place.addEventListener("input", () => this.accept());
    this.fit();
  }

  get draft() {
    const { kind, data, code } = this.fields;
    return { kind: kind.value, data: data.value, code: Number(code.value) || 0 };
  }

  set draft({ kind, data, code }) {
    this.fields.kind.value = kind;
    this.fields.data.value = data;
    this.fields.code.value = code;
    this.fit();
  }

  restore(sent, draft) {
    this.sent = sent;
    this.at = sent.length;
    this.draft = draft;
  }

  press(event) {
    const { key, isComposing, shiftKey, target } = event;
    if (isComposing || shiftKey) return;
    if (key === "Enter") {
      event.preventDefault();
      this.submit();
    }
    // Within a text of several lines the arrows move the cursor.
    const up = key === "ArrowUp" && !target.value.slice(0, target.selectionStart).includes("\n");
    const down = key === "ArrowDown" && !target.value.slice(target.selectionEnd).includes("\n");
    if ((up || down) && this.recall(up ? -1 : 1)) event.preventDefault();
  }

  /** What was sent before, or after, what stands there; false if there is nothing. */
  recall(step) {
    const to = this.at + step;
    if (to < 0 || to > this.sent.length) return false;
    if (this.at === this.sent.length) this.waiting = this.draft;
    this.at = to;
    this.draft = this.sent[to] ?? this.waiting;
    return true;
  }

  submit() {
    const { draft } = this;
    this.accept();
    if (!this.send(draft)) return;
    if (JSON.stringify(this.sent.at(-1)) !== JSON.stringify(draft)) this.sent.push(draft);
    this.sent = this.sent.slice(-MOST);
    this.at = this.sent.length;
    if (draft.kind === "text") this.fields.data.value = "";
    (draft.kind === "cut" ? find(".go", this.console) : this.fields.data).focus();
  }

  fit() {
    const kind = this.fields.kind.value;
    find(".code", this.place).hidden = kind !== "close";
    find("label.data", this.place).hidden = kind === "cut";
    this.fields.data.placeholder = find("label.data span", this.place).textContent = NAMES[kind] ?? "Message";
  }

  /** Buttons for messages that are worth sending, as an offer names them. */
  suggest(messages) {
    const buttons = messages.map((message) => {
      const [kind, data, code] =
        typeof message === "string" ? ["text", message]
        : "hex" in message ? ["binary", message.hex]
        : ["close", message.reason, message.close];
      const name = { text: data, binary: `binary ${data || "(empty)"}`, close: `close ${code} ${data}`.trim() }[kind];
      const button = element("button", { type: "button" }, name);
      button.addEventListener("click", () => this.send({ kind, data, code: code ?? 1000 }));
      return button;
    });
    const place = find(".worth", this.console);
    place.replaceChildren("Worth sending: ", ...buttons);
    place.hidden = !buttons.length;
  }

  allow(open) {
    for (const button of this.console.querySelectorAll(".send button, .worth button, .again")) button.disabled = !open;
  }

  refuse(sentence, about) {
    if (!["data", "code"].includes(about)) return false;
    this.error.textContent = sentence;
    this.error.hidden = false;
    this.fields[about].setAttribute("aria-invalid", true);
    this.fields[about].focus();
    // Of what was not sent nothing is lost.
    if (about === "data" && !this.fields.data.value && this.sent.length) this.recall(-1);
    return true;
  }

  accept() {
    this.error.hidden = true;
    this.place.querySelectorAll("[aria-invalid]").forEach((each) => each.removeAttribute("aria-invalid"));
  }
}
