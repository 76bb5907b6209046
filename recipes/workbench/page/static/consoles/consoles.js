// The consoles of the page: which there are, and the news for each.
import "./copied.js";
import { complain, find } from "../dom.js";
import { session } from "../kept.js";
import { on, onLost } from "../live.js";
import { onSocket } from "../programs/programs.js";
import { onTry, refuseSettings } from "../servers/servers.js";
import { Console } from "./console.js";
import { keptOf, restore } from "./kept.js";

const MOST_CONSOLES = 8;
// Characters of rows that are kept over a reload, of all consoles: a browser has room for five million.
const MOST_KEPT = 3_000_000;
const consoles = new Map();

function make(number) {
  const made = new Console(number, () => leave(number));
  consoles.set(number, made);
  return made;
}

function another() {
  for (let number = 1; number <= MOST_CONSOLES; number += 1) {
    if (!consoles.has(number)) return make(number);
  }
  complain(`A page holds ${MOST_CONSOLES} consoles. Remove one first.`);
  return null;
}

function leave(number) {
  consoles.delete(number);
  (consoles.values().next().value?.fields.url ?? find("#another")).focus();
}

function take(offer) {
  const idle = [...consoles.values()].find(({ busy }) => !busy);
  (idle ?? another())?.take(offer);
}
onTry(take);
onSocket((url) => take({ url, headers: {}, subprotocols: [], origin: "", send: [] }));
find("#another").addEventListener("click", () => another()?.fields.url.focus());

on("console", (news) => consoles.get(news.console)?.update(news));
on("handshake", (news) => consoles.get(news.console)?.handshake(news));
on("frames", (news) => consoles.get(news.console)?.add(news));
on("answered", (news) => consoles.get(news.console)?.answered(news));
on("token", ({ console, value }) => consoles.get(console)?.token(value));
on("trouble", (news) => {
  consoles.get(news.console)?.refuse(news);
  if (news.about === "settings") refuseSettings(news.sentence);
});
onLost(() => consoles.forEach((each) => each.lose()));

function keep() {
  const all = (room) => [...consoles.values()].map((each) => keptOf(each, room / consoles.size));
  if (!session.keep("consoles", all(MOST_KEPT))) session.keep("consoles", all(0));
}
addEventListener("pagehide", keep);

try {
  for (const kept of session.recall("consoles", [])) restore(make(kept.number), kept);
} catch {
  session.forget("consoles"); // an older page kept it, in another form
}
if (!consoles.size) another();
