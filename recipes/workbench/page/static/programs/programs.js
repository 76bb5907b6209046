// The commands of a text: servers, programs and sockets, each run where it stands.
import { find } from "../dom.js";
import { call, on, onLost } from "../live.js";
import { appendLine } from "../servers/frames.js";
import { copyButtons } from "./copy.js";

const MOST_LINES = 1000;
const places = [...document.querySelectorAll(".runnable")];
const at = ({ text, n }) => places.find(({ dataset }) => dataset.text === text && dataset.n === String(n));
// Ports of the recipe's servers that run, by name; who came last is last.
const ports = new Map();
let openSocket = null;

/** Have `listener` called with an address that a console is to open; without one there is no button. */
export function onSocket(listener) {
  openSocket = listener;
  places.filter(({ dataset }) => dataset.kind === "socket").forEach((place) => (place.hidden = false));
}

const say = (place, text, trouble = false) => {
  const status = find("[role=status]", place);
  if (status.textContent !== text) status.textContent = status.title = text;
  status.classList.toggle("trouble", trouble);
};

function press(place) {
  const { kind, text, n, line, server: app, settings = "", address } = place.dataset;
  if (kind === "server") {
    call(place.dataset.up ? "stop" : "start", place.dataset.up ? { app } : { app, settings });
  } else if (kind === "program") {
    call(...(place.dataset.up ? ["halt", { text, n: Number(n) }] : ["run", { text, n: Number(n), line }]));
  } else {
    const port = ports.get(app) ?? [...ports.values()].at(-1);
    if (!port) return say(place, `Nobody is there yet: start the server ${app || "main"} first.`, true);
    openSocket(address.replace("127.0.0.1:8000", `127.0.0.1:${port}`));
    say(place, `A console is open at 127.0.0.1:${port}, where the server runs here.`);
  }
}

function turn(place, up) {
  place.toggleAttribute("data-up", up);
  if (up) place.dataset.up = "yes";
  const button = find(".go", place);
  button.textContent = up ? "■ Stop" : "▶ Run";
  button.setAttribute("aria-label", button.getAttribute("aria-label").replace(/^(Run|Stop)/, up ? "Stop" : "Run"));
}

for (const place of places) {
  find(".go", place).addEventListener("click", () => press(place));
  if (place.dataset.kind === "socket") place.hidden = true;
}

on("app", ({ app, state, sentence, port, settings }) => {
  if (state === "running") ports.set(app, port);
  else ports.delete(app);
  for (const place of places.filter(({ dataset }) => dataset.kind === "server" && dataset.server === app)) {
    const up = state === "running" || state === "starting";
    turn(place, up);
    const mine = (place.dataset.settings ?? "") === settings;
    const more = place.dataset.options ? `, without ${place.dataset.options}` : "";
    const others = mine ? "" : `, with other settings: ${settings || "none"}`;
    if (up || sentence) say(place, sentence || `${app} ${state} at 127.0.0.1:${port}${more}${others}`, Boolean(sentence));
    else say(place, "");
  }
});

on("program", (news) => {
  const place = at(news);
  if (!place) return;
  begin(place, news.run);
  turn(place, news.state === "running");
  say(place, news.state);
});

on("refused", (news) => {
  if (at(news)) say(at(news), news.sentence, true);
});

on("printed", (news) => {
  const place = at(news);
  if (!place) return;
  begin(place, news.run);
  const log = find(".printed", place);
  const below = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  for (const line of news.lines) appendLine(log, line, "");
  let gone = Number(place.dataset.gone ?? 0) + news.left_out;
  while (log.childElementCount > MOST_LINES) {
    log.firstChild.remove();
    gone += 1;
  }
  place.dataset.gone = gone;
  find(".left-out", place).hidden = !gone;
  find(".left-out", place).textContent = `${gone.toLocaleString("en")} lines before`;
  if (below) log.scrollTop = log.scrollHeight;
});

/** Another run begins with nothing printed. */
function begin(place, run) {
  if (place.dataset.run === String(run)) return;
  place.dataset.run = run;
  place.dataset.gone = 0;
  find(".left-out", place).hidden = true;
  const log = find(".printed", place);
  log.replaceChildren();
  log.hidden = false;
}

onLost(() => places.forEach((place) => {
  delete place.dataset.run; // told anew by the workbench that comes
  turn(place, false);
}));

copyButtons();
