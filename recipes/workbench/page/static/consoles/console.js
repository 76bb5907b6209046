// One console on the page: a client that the workbench runs, and what it saw.
import { find } from "../dom.js";
import { call } from "../live.js";
import { Address } from "./address.js";
import { Compose } from "./compose.js";
import { Lanes } from "./lanes.js";
import { answerRecord, count, endRecord, handshakeRecord, note, words } from "./records.js";
import { save } from "./saved.js";
import { voice } from "./voice.js";

const NAMES = { connecting: "Connecting…", open: "Close", closing: "Closing…" };

/** `gone` is called when it was taken off the page. */
export class Console {
  constructor(number, gone) {
    this.number = number;
    this.gone = gone;
    this.run = this.ended = this.attempts = 0; // `ended` is the run whose end is shown
    this.state = "idle";
    this.offer = null;
    this.suggested = [];
    this.place = find("#console").content.firstElementChild.cloneNode(true);
    this.place.setAttribute("aria-label", `Console ${number}`);
    this.find("h3").textContent = `Console ${number}`;
    this.find(".lanes").setAttribute("aria-label", `Frames of console ${number}`);
    find("#consoles").append(this.place);
    this.say = voice(this.find(".news"));
    this.lanes = new Lanes(this.place, ({ kind, text, hex }) => this.send({ kind, data: text ?? hex, code: 1000 }));
    this.address = new Address(this.place, number);
    this.compose = new Compose(this.place, (what) => this.send(what));
    this.fields = this.address.fields;

    this.listen("form.connect", "submit", (event) => {
      event.preventDefault();
      this.address.accept();
      if (this.address.plain) this.request();
      else if (this.state === "open") this.send({ kind: "close", code: 1000, data: "" });
      else this.connect();
    });
    this.fields.method.addEventListener("change", () => this.fitState());
    this.listen(".leave", "click", () => this.leave());
    this.listen(".clear", "click", () => this.lanes.clear());
    this.listen(".save", "click", () => save(`console-${number}.json`, this.lanes.records));
    this.listen(".filter", "input", () => this.sift());
    this.listen(".pings", "change", () => this.sift());
    for (const form of ["python", "test"]) this.listen(`.copy[data-form=${form}]`, "click", () => this.call("copy", { form }));
    this.find(".token")?.addEventListener("click", () => {
      const url = this.fields.url.value.replace(/^http/, "ws");
      this.call("token", { url, user: Number(this.fields.user.value) });
    });
    this.fitState();
  }

  find(selector) {
    return find(selector, this.place);
  }

  listen(selector, event, listener) {
    this.find(selector).addEventListener(event, listener);
  }

  call(what, values) {
    return call(what, { console: this.number, ...values });
  }

  get busy() {
    return ["connecting", "open", "closing"].includes(this.state);
  }

  connect() {
    this.call("connect", this.address.values("url", "headers", "subprotocols", "origin"));
  }

  request() {
    this.call("request", this.address.values("method", "url", "headers", "body", "form"));
  }

  send(what) {
    if (what.kind === "ping" && !this.find(".pings").checked) this.find(".pings").click();
    return this.call("send", what);
  }

  /** Take an offer's address, headers and texts, and connect. */
  take(offer) {
    this.offer = offer;
    this.address.take(offer);
    this.suggest(offer.send);
    this.place.scrollIntoView({ block: "nearest" });
    // With a token to fetch, the answer connects.
    if (offer.token) this.find(".token").click();
    else this.connect();
  }

  suggest(messages) {
    this.suggested = messages;
    this.compose.suggest(messages);
    this.fitState();
  }

  token(value) {
    this.address.token(value);
    if (this.offer?.token && !this.busy) this.connect();
    this.offer = null;
  }

  sift() {
    this.lanes.sift(this.find(".filter").value, this.find(".pings").checked);
  }

  fitState() {
    const open = this.state === "open";
    this.place.dataset.state = this.state;
    this.find(".state").textContent = this.state;
    const go = this.find(".go");
    const { plain } = this.address;
    go.textContent = plain ? "Send request" : (NAMES[this.state] ?? "Connect");
    // Not `disabled`: that would take the focus away from who pressed it.
    go.setAttribute("aria-disabled", !plain && this.busy && !open);
    this.compose.allow(open);
  }

  /** What comes is of another connection than what is there: say where it begins. */
  begin(run) {
    if (run === this.run || !run) return;
    this.run = run;
    this.attempts += 1;
    if (!this.lanes.records.length) return;
    this.lanes.add([note("divider", `Attempt ${this.attempts}, ${new Date().toLocaleTimeString()}`)]);
  }

  handshake({ run, sent, received }) {
    this.begin(run);
    this.asked = sent;
    if (!/^HTTP\/1.1 101 /.test(received)) return;
    this.lanes.add([handshakeRecord({ sent, received })]);
  }

  update({ run, state, trouble, end }) {
    this.begin(run);
    const was = this.state;
    this.state = state;
    this.fitState();
    this.complain(trouble);
    if (state === "open" && was !== "open") {
      this.say("Connected.");
      if (document.activeElement === this.find(".go")) this.compose.fields.data.focus();
    }
    if (!end || this.ended === run) return;
    this.ended = run;
    const record = endRecord(end);
    if (record.headers !== undefined) record.sent = this.asked;
    this.lanes.add([record]);
    this.say(words(record));
  }

  add({ run, frames, left_out }) {
    this.begin(run);
    const text = `${count(left_out, "frame")} left out: they came faster than they could be shown.`;
    this.lanes.add([...(left_out ? [note("gap", text)] : []), ...frames.map((frame) => ({ row: "frame", ...frame }))]);
    const last = frames.findLast(({ sent, text }) => !sent && text !== null);
    if (last) this.say(`Received ${last.kind}: ${last.text.slice(0, 200)}`);
  }

  /** The answer to a plain request. */
  answered(news) {
    const record = answerRecord(news);
    this.lanes.add([record]);
    this.say(`${record.text}. ${record.body.slice(0, 200)}`);
  }

  /** What was not done is said at the field that it is about. */
  refuse({ sentence, about }) {
    if (!this.address.refuse(sentence, about) && !this.compose.refuse(sentence, about)) this.complain(sentence);
  }

  complain(sentence) {
    Object.assign(this.find(".trouble"), { textContent: sentence, hidden: !sentence });
  }

  leave() {
    this.call("leave", {});
    this.address.forget();
    this.place.remove();
    this.gone();
  }

  /** The workbench is gone, and with it the connection. */
  lose(why = "Lost: the workbench that held this connection is gone.") {
    this.run = this.ended = 0; // the next connection counts anew
    if (!this.busy) return;
    this.state = "over";
    this.fitState();
    this.lanes.add([note("end", why)]);
  }
}
