// The consoles of the page: which there are, and the news for each.
import { Console } from "./console.js";
import "./copied.js";
import { complain, find } from "./dom.js";
import { on, onLost } from "./live.js";
import { onTry } from "./servers.js";

const MOST_CONSOLES = 8;
const consoles = new Map();

function another() {
  for (let number = 1; number <= MOST_CONSOLES; number += 1) {
    if (consoles.has(number)) continue;
    const made = new Console(number, () => leave(number));
    consoles.set(number, made);
    return made;
  }
  complain(`A page holds ${MOST_CONSOLES} consoles. Remove one first.`);
  return null;
}

function leave(number) {
  consoles.delete(number);
  (consoles.values().next().value?.fields.url ?? find("#another")).focus();
}

onTry((offer) => {
  const idle = [...consoles.values()].find(({ busy }) => !busy);
  (idle ?? another())?.take(offer);
});
find("#another").addEventListener("click", () => another()?.fields.url.focus());

on("console", (news) => consoles.get(news.console)?.update(news));
on("frames", (news) => consoles.get(news.console)?.add(news));
on("token", ({ console, value }) => consoles.get(console)?.token(value));
onLost(() => consoles.forEach((each) => each.lose()));

another();
