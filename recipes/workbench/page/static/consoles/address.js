// Where a console connects: its address, what runs to choose from, headers, and what is wrong.
import { element, find } from "../dom.js";
import { recipe } from "../live.js";
import { onServers } from "../servers/servers.js";
import { decoded } from "./payload.js";

const HERE = ["127.0.0.1", "localhost"];
const KEPT = ["method", "url", "headers", "subprotocols", "origin", "user", "form", "body"];

export class Address {
  /** Takes a console's place. */
  constructor(place, number) {
    this.place = find("form.connect", place);
    this.fields = this.place.elements;
    this.error = element("p", { class: "error", role: "alert", id: `error-${number}`, hidden: true });
    this.running = [];
    this.place.addEventListener("input", ({ target }) => {
      if (target.name !== "pick") this.fit();
      this.accept();
    });
    this.fields.method.addEventListener("change", () => this.switchScheme());
    this.fields.pick.addEventListener("change", ({ target }) => {
      if (target.value) this.fields.url.value = target.value;
      target.value = "";
      this.fields.url.focus();
      this.fit();
    });
    find(".here button", this.place).addEventListener("click", () => {
      this.fields.url.value = this.here();
      this.fit();
      this.fields.url.focus();
    });
    this.forget = onServers((servers) => {
      this.running = servers;
      this.fit();
    });
  }

  get plain() {
    return this.fields.method.value !== "ws";
  }

  /** The values of the fields named. */
  values(...names) {
    return Object.fromEntries(names.map((name) => [name, this.fields[name].value]));
  }

  kept() {
    return this.values(...KEPT.filter((name) => this.fields[name]));
  }

  restore(kept) {
    for (const name of KEPT) if (kept[name] !== undefined && this.fields[name]) this.fields[name].value = kept[name];
    this.unfold();
    this.fit();
  }

  /** Take an offer's address, headers, subprotocols and Origin. */
  take({ url, headers, subprotocols, origin, token }) {
    const lines = Object.entries(headers).map(([k, v]) => `${k}: ${v}`);
    this.restore({ method: "ws", url, headers: lines.join("\n"), subprotocols: subprotocols.join(", "), origin });
    this.unfold(token);
    this.accept();
  }

  unfold(anyway = false) {
    const { headers, subprotocols, origin } = this.fields;
    find("details", this.place).open = Boolean(headers.value || subprotocols.value || origin.value || anyway);
  }

  /** A token came: into the header, in place of an older one. */
  token(value) {
    const { headers } = this.fields;
    const others = headers.value.split("\n").filter((line) => line && !/^authorization:/i.test(line));
    headers.value = [...others, `Authorization: ${value}`].join("\n");
    this.unfold();
    this.fit();
  }

  switchScheme() {
    const { url, method } = this.fields;
    url.value = this.plain ? url.value.replace(/^ws/, "http") : url.value.replace(/^http/, "ws");
    find(".body", this.place).hidden = method.value !== "POST";
    this.fit();
  }

  /** Show what belongs to the values of the fields. */
  fit() {
    const { method, pick, headers, url } = this.fields;
    find(".body", this.place).hidden = method.value !== "POST";
    for (const each of this.place.querySelectorAll(".ws-only")) each.hidden = this.plain;
    const groups = this.running.map(({ recipe: whose, app, port, paths, pages }) => {
      const name = `${whose === recipe ? "" : `${whose} `}${app} :${port}`;
      const address = `${this.plain ? "http" : "ws"}://127.0.0.1:${port}`;
      const options = (this.plain ? pages : paths).map((path) => element("option", { value: address + path }, path));
      const group = element("optgroup", { label: name });
      group.append(...options);
      return group;
    });
    const some = groups.filter((group) => group.childElementCount);
    pick.replaceChildren(element("option", { value: "" }, some.length ? "choose …" : "nothing that fits"), ...some);
    pick.hidden = !this.running.length;
    const token = decoded(`${headers.value} ${url.value}`);
    find(".jwt", this.place).hidden = !token;
    find(".jwt", this.place).textContent = token;
    const here = this.here();
    find(".here", this.place).hidden = !here;
    find(".here code", this.place).textContent = here;
  }

  /** For an address at port 8000, as texts have it: the same at the server that runs; or "". */
  here() {
    let address;
    try {
      address = new URL(this.fields.url.value);
    } catch {
      return "";
    }
    if (!HERE.includes(address.hostname) || address.port !== "8000") return "";
    const mine = this.running.filter((each) => each.recipe === recipe);
    if (!mine.length || this.running.some(({ port }) => port === 8000)) return "";
    // Of several the one that has such a path.
    const has = ({ paths }) => paths.some((path) => path.split("/")[1] === address.pathname.split("/")[1]);
    address.port = (mine.find(has) ?? mine[0]).port;
    return decodeURI(address.href);
  }

  /** Say what is wrong, at the field that it is about; false if it is about none here. */
  refuse(sentence, about) {
    const field = this.fields[about];
    if (!field) return false;
    this.accept();
    (field.closest("label") ?? field).after(this.error);
    this.error.textContent = sentence;
    this.error.hidden = false;
    field.setAttribute("aria-invalid", true);
    field.setAttribute("aria-describedby", this.error.id);
    if (field.closest("details")) field.closest("details").open = true;
    field.focus();
    return true;
  }

  accept() {
    this.error.hidden = true;
    const wrong = this.place.querySelector("[aria-invalid]");
    wrong?.removeAttribute("aria-invalid");
    wrong?.removeAttribute("aria-describedby");
  }
}

