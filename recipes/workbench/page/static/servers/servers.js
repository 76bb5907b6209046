// The recipe's apps as servers: a line each, of which the chosen one is open.
import { complain, element, find } from "../dom.js";
import { session } from "../kept.js";
import { call, on, onLost, recipe } from "../live.js";
import { chooseLog } from "./logs.js";
import { onRunning } from "./running.js";

const article = (name) => find(`[data-app="${name}"]`);
const every = [...document.querySelectorAll(".app")];

/** Called with an offer when its button is pressed. */
let tryOut = () => {};
export const onTry = (listener) => (tryOut = listener);

// What is known of the recipe's own servers, by name: what to try, and which pages to open.
const known = new Map();
const listeners = new Set();
let running = [];

/** Have `listener` called with what runs and what to try there; returns how to end that. */
export function onServers(listener) {
  listeners.add(listener);
  listener(servers());
  return () => listeners.delete(listener);
}

function servers() {
  return running.filter(({ state }) => state === "running").map(({ recipe: whose, app, port, sockets }) => {
    const mine = whose === recipe ? known.get(app) : null;
    const paths = mine?.offers.length ? [...new Set(mine.offers.map(({ path }) => path))] : sockets;
    return { recipe: whose, app, port, paths, pages: mine?.pages ?? [] };
  });
}
const tell = () => listeners.forEach((listener) => listener(servers()));
onRunning((now) => {
  running = now;
  tell();
});

/** Open a server's line, and close the others; its log is the one that is shown. */
export function choose(name) {
  for (const place of every) {
    const chosen = place.dataset.app === name;
    find(".more", place).hidden = !chosen;
    find(".open", place).setAttribute("aria-expanded", chosen);
  }
  session.keep("server", name);
  if (name) chooseLog(name);
}

/** Settings were refused: said at their field, in the line that was opened to start. */
export function refuseSettings(sentence) {
  const place = find(".app .more:not([hidden])");
  if (!place) return complain(sentence);
  const field = find("input.settings", place);
  find(".error", place).textContent = sentence;
  find(".error", place).hidden = false;
  field.setAttribute("aria-invalid", true);
  field.focus();
}

for (const place of every) {
  const { app } = place.dataset;
  const settings = find("input.settings", place);
  settings.value = session.recall(`settings of ${app}`, "");
  settings.addEventListener("input", () => {
    session.keep(`settings of ${app}`, settings.value);
    find(".error", place).hidden = true;
    settings.removeAttribute("aria-invalid");
  });
  find(".open", place).addEventListener("click", ({ currentTarget }) => {
    choose(currentTarget.getAttribute("aria-expanded") === "true" ? "" : app);
  });
  find(".start", place).addEventListener("click", () => {
    choose(app);
    call("start", { app, settings: settings.value });
  });
  find(".stop", place).addEventListener("click", () => call("stop", { app }));
}
if (article(session.recall("server", ""))) choose(session.recall("server"));

on("app", ({ app, state, sentence, port, settings, pages, offers }) => {
  const place = article(app);
  if (!place) return complain(`${app}.py is new: reload the page to see it.`);
  const up = state === "running";
  // What runs already is what one has come for, unless one has chosen.
  if (up && session.recall("server") === null) choose(app);
  if (state === "failed" && place.dataset.state === "starting") choose(app);
  place.dataset.state = state;
  find(".state", place).textContent = state;
  find(".sentence", place).textContent = sentence;
  find(".sentence", place).hidden = !sentence;
  find(".shown-settings", place).textContent = settings ? `${settings} ` : "";

  // A button that vanishes under the keyboard hands the focus to the other one.
  const buttons = { start: !up && state !== "stopping", stop: up || state === "stopping" };
  const focused = [".start", ".stop"].some((name) => find(name, place) === document.activeElement);
  find(".start", place).hidden = !buttons.start;
  find(".stop", place).hidden = !buttons.stop;
  // Not `disabled`: that would take the focus away from who pressed it.
  find(".start", place).setAttribute("aria-disabled", state === "starting");
  find(".stop", place).setAttribute("aria-disabled", state === "stopping");
  find(".start", place).textContent = state === "starting" ? "Starting…" : "Start";
  if (focused) find(buttons.start ? ".start" : ".stop", place).focus();

  const address = `http://127.0.0.1:${port}`;
  const link = find(".address", place);
  link.hidden = !up;
  link.href = address;
  link.textContent = `:${port}`;
  link.setAttribute("aria-label", `${app} at ${address}, in a new tab`);
  const tries = offers.map((offer) => {
    const button = element("button", { class: "offer", title: offer.title }, offer.path);
    button.addEventListener("click", () => tryOut(offer));
    return element("li", {}, button, element("span", {}, offer.title));
  });
  const links = pages.map((path) => {
    const page = { href: address + path, target: "_blank", rel: "noreferrer" };
    return element("li", {}, element("a", page, path), element("span", {}, "open in a new tab"));
  });
  find(".offers", place).replaceChildren(...(up ? [...tries, ...links] : []));
  known.set(app, { offers, pages });
  tell();
});

onLost(() => {
  known.clear();
  for (const place of every) {
    place.dataset.state = find(".state", place).textContent = "not known";
    find(".offers", place).replaceChildren();
    find(".address", place).hidden = true;
  }
});
