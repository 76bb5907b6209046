// One console on the page: a WebSocket client that the workbench runs, and what it saw.
import { element, find } from "./dom.js";
import { call } from "./live.js";
import { count, endRow, frameRow, row } from "./rows.js";

const MOST_FRAMES = 10000;

/** A console; `gone` is called when it was taken off the page. */
export class Console {
  constructor(number, gone) {
    this.number = number;
    this.gone = gone;
    this.run = 0;
    this.state = "idle";
    this.leftOut = 0;
    this.offer = null;
    this.following = true;
    this.place = find("#console").content.firstElementChild.cloneNode(true);
    this.lanes = this.find(".lanes");
    this.fields = this.find("form.connect").elements;
    this.sending = this.find("form.send").elements;
    this.place.setAttribute("aria-label", `Console ${number}`);
    this.find("h3").textContent = `Console ${number}`;
    this.lanes.setAttribute("aria-label", `Frames of console ${number}`);
    find("#consoles").append(this.place);

    this.listen("form.connect", "submit", (event) => {
      event.preventDefault();
      if (this.state === "open") this.call("send", { kind: "close", code: 1000, data: "" });
      else this.connect();
    });
    this.listen("form.send", "submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.listen("form.send textarea", "keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send();
    });
    this.listen("[name=kind]", "change", () => this.fitKind());
    this.listen(".lanes", "scroll", ({ target }) => {
      this.following = target.scrollTop + target.clientHeight > target.scrollHeight - 40;
    });
    this.listen(".leave", "click", () => this.leave());
    this.listen(".pings", "change", ({ target }) => {
      this.lanes.classList.toggle("with-pings", target.checked);
    });
    for (const button of this.place.querySelectorAll(".copy")) {
      button.addEventListener("click", () => this.call("copy", { form: button.dataset.form }));
    }
    if (this.find(".token")) {
      this.listen(".token", "click", () => {
        this.call("token", { url: this.fields.url.value, user: Number(this.fields.user.value) });
      });
    }
    this.fitKind();
    this.fitState();
  }

  find(selector) {
    return find(selector, this.place);
  }

  listen(selector, event, listener) {
    this.find(selector).addEventListener(event, listener);
  }

  call(what, values) {
    call(what, { console: this.number, ...values });
  }

  get busy() {
    return ["connecting", "open", "closing"].includes(this.state);
  }

  connect() {
    const { url, headers, subprotocols, origin } = this.fields;
    this.call("connect", {
      url: url.value,
      headers: headers.value,
      subprotocols: subprotocols.value,
      origin: origin.value,
    });
  }

  /** Take an offer's address, headers and texts, and connect. */
  take(offer) {
    this.offer = offer;
    const { url, headers, subprotocols, origin } = this.fields;
    url.value = offer.url;
    headers.value = Object.entries(offer.headers).map(([k, v]) => `${k}: ${v}`).join("\n");
    subprotocols.value = offer.subprotocols.join(", ");
    origin.value = offer.origin;
    this.find("details").open = Boolean(headers.value || subprotocols.value || origin.value || offer.token);
    this.showWorth(offer.send);
    this.place.scrollIntoView({ block: "nearest" });
    // With a token to fetch, the answer connects.
    if (offer.token) this.find(".token").click();
    else this.connect();
  }

  showWorth(messages) {
    const buttons = messages.map((message) => {
      const [kind, data, code] =
        typeof message === "string" ? ["text", message]
        : "hex" in message ? ["binary", message.hex]
        : ["close", message.reason, message.close];
      const name = { text: data, binary: `binary ${data || "(empty)"}`, close: `close ${code} ${data}`.trim() }[kind];
      const button = element("button", { type: "button" }, name);
      button.addEventListener("click", () => this.call("send", { kind, data, code: code ?? 1000 }));
      return button;
    });
    const place = this.find(".worth");
    place.replaceChildren("Worth sending: ", ...buttons);
    place.hidden = !buttons.length;
    this.fitState();
  }

  /** A token came: into the header, in place of an older one. */
  token(value) {
    const { headers } = this.fields;
    const others = headers.value.split("\n").filter((line) => line && !/^authorization:/i.test(line));
    headers.value = [...others, `Authorization: ${value}`].join("\n");
    this.find("details").open = true;
    if (this.offer?.token && !this.busy) this.connect();
    this.offer = null;
  }

  send() {
    const { kind, data, code } = this.sending;
    this.call("send", { kind: kind.value, data: data.value, code: Number(code.value) || 0 });
    if (kind.value === "ping" && !this.find(".pings").checked) this.find(".pings").click();
    if (kind.value === "text") data.value = "";
    (kind.value === "cut" ? this.find(".go") : data).focus();
  }

  fitKind() {
    const kind = this.sending.kind.value;
    this.find(".code").hidden = kind !== "close";
    this.find("label.data").hidden = kind === "cut";
    const name = { close: "Reason", ping: "Payload", binary: "Bytes in hex: 00 ff", json: "JSON" }[kind];
    this.sending.data.placeholder = this.find("label.data span").textContent = name ?? "Message";
  }

  fitState() {
    const open = this.state === "open";
    this.place.dataset.state = this.state;
    this.find(".state").textContent = this.state;
    const go = this.find(".go");
    go.textContent = open ? "Close" : { connecting: "Connecting…", closing: "Closing…" }[this.state] ?? "Connect";
    // Not `disabled`: that would take the focus away from who pressed it.
    go.setAttribute("aria-disabled", this.busy && !open);
    for (const button of this.place.querySelectorAll(".send button, .worth button")) button.disabled = !open;
  }

  /** Rows of another connection than those on the page: begin anew. */
  begin(run) {
    if (run === this.run) return;
    this.run = run;
    this.leftOut = 0;
    this.lanes.replaceChildren();
    this.showLeftOut();
  }

  update({ run, state, trouble, subprotocol, end }) {
    this.begin(run);
    const was = this.state;
    this.state = state;
    this.fitState();
    const place = this.find(".trouble");
    if (place.textContent !== trouble) place.textContent = trouble;
    place.hidden = !trouble;
    if (state === "open" && was !== "open") {
      this.say("Connected.");
      if (document.activeElement === this.find(".go")) this.sending.data.focus();
    }
    // An accepted handshake is the first that happened, also if the end came at once.
    if ((state === "open" || end?.kind === "closed") && !this.find(".accepted")) {
      const chosen = subprotocol && `, subprotocol ${subprotocol}`;
      this.lanes.prepend(element("li", { class: "note accepted" }, `Connected${chosen}`));
    }
    if (end && !this.find(".end")) this.showEnd(end);
  }

  showEnd(end) {
    const [made, sentence] = endRow(end);
    this.append(made);
    this.say(sentence);
  }

  append(made) {
    this.lanes.append(made);
    this.scroll();
  }

  add({ run, frames, left_out }) {
    this.begin(run);
    const rows = document.createDocumentFragment();
    if (left_out) {
      rows.append(element("li", { class: "note" }, `${count(left_out, "frame")} left out: they came faster than they could be shown.`));
    }
    for (const frame of frames) rows.append(frameRow(frame));
    this.lanes.append(rows);
    while (this.lanes.childElementCount > MOST_FRAMES) {
      this.lanes.firstElementChild.remove();
      this.leftOut += 1;
    }
    this.showLeftOut();
    const last = frames.findLast(({ sent, text }) => !sent && text !== null);
    if (last) this.say(`Received ${last.kind}: ${last.text.slice(0, 200)}`);
    this.scroll();
  }

  /** Follow what comes, unless one has scrolled up to read. */
  scroll() {
    // Rows far away need not be laid out; few are, so that the end is where it seems.
    this.lanes.classList.toggle("many", this.lanes.childElementCount > 300);
    if (!this.following) return;
    this.lanes.scrollTop = this.lanes.scrollHeight;
    requestAnimationFrame(() => (this.lanes.scrollTop = this.lanes.scrollHeight));
  }

  showLeftOut() {
    const place = this.find(".left-out");
    place.hidden = !this.leftOut;
    place.textContent = `${count(this.leftOut, "earlier row")} left out.`;
  }

  /** For those who hear the page: the newest thing, not each of a flood. */
  say(text) {
    this.news = text;
    this.saying ??= setTimeout(() => {
      this.saying = undefined;
      this.find(".news").textContent = this.news;
    }, 300);
  }

  leave() {
    this.call("leave", {});
    this.place.remove();
    this.gone();
  }

  /** The workbench is gone, and with it the connection. */
  lose() {
    this.run = 0; // the next connection counts anew
    if (!this.busy) return;
    this.state = "over";
    this.fitState();
    this.append(row("end", "Lost: the workbench that held this connection is gone."));
  }
}
