// The recipe's apps as servers: start, stop, what they serve, what they log.
import { complain, element, find } from "./dom.js";
import { call, on, onLost } from "./live.js";

const MOST_LINES = 1000;
const article = (name) => find(`[data-app="${name}"]`);

/** Called with an offer when its button is pressed. */
let tryOut = () => {};
export const onTry = (listener) => (tryOut = listener);

for (const place of document.querySelectorAll(".app")) {
  const app = place.dataset.app;
  find(".start", place).addEventListener("click", () => {
    find("details.log", place).open = true;
    call("start", { app, settings: find("input.settings", place).value });
  });
  find(".stop", place).addEventListener("click", () => call("stop", { app }));
}

on("app", ({ app, state, sentence, port, settings, pages, offers }) => {
  const place = article(app);
  if (!place) return complain(`${app}.py is new: reload the page to see it.`);
  const up = state === "running";
  place.dataset.state = state;
  find(".state", place).textContent = state;
  find(".sentence", place).textContent = sentence;
  find(".sentence", place).hidden = !sentence;
  if (state === "failed") find("details.log", place).open = true;
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
  const link = find(".address a", place);
  find(".address", place).hidden = !up;
  link.href = address;
  link.textContent = address;
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
});

let counts = {};
// Who connects again is told the whole log again.
onLost(() => {
  counts = {};
  document.querySelectorAll(".log pre").forEach((log) => log.replaceChildren());
  for (const place of document.querySelectorAll(".app")) {
    place.dataset.state = find(".state", place).textContent = "not known";
    find(".offers", place).replaceChildren();
    find(".address", place).hidden = true;
  }
});
on("log", ({ app, lines, left_out }) => {
  const place = article(app);
  if (!place) return;
  const log = find(".log pre", place);
  const count = (counts[app] ??= { shown: 0, left: 0 });
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  for (const line of lines) {
    const kind = /^(WARNING|ERROR|CRITICAL|Traceback|\w*(Error|Exception|Disconnect)\b)/.exec(line);
    const name = line.startsWith("--- ") ? "note" : kind ? "bad" : "";
    log.append(element("span", { class: name }, `${line}\n`));
  }
  count.left += left_out;
  while (log.childElementCount > MOST_LINES) {
    log.firstElementChild.remove();
    count.left += 1;
  }
  const note = find(".left-out", place);
  note.hidden = !count.left;
  note.textContent = `${count.left.toLocaleString("en")} earlier lines are left out.`;
  find(".count", place).textContent = `(${log.childElementCount.toLocaleString("en")} lines)`;
  if (atEnd) log.scrollTop = log.scrollHeight;
});
