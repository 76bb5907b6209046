// The page's own WebSocket: calls go out, news comes in.
import { complain, find } from "./dom.js";

const meta = (name) => find(`meta[name=${name}]`).content;
export const recipe = meta("recipe");

const listeners = {};
const lost = [];
let socket;
let wait = 250;

/** Have `listener` called with each piece of news of a kind. */
export const on = (kind, listener) => (listeners[kind] ??= []).push(listener);

/** Have `listener` called when the workbench is gone, and with it what it held for this page. */
export const onLost = (listener) => lost.push(listener);

/** Ask the workbench to do something; false if it is gone. The token shows that this page is of its run. */
export function call(what, values = {}) {
  if (socket?.readyState !== WebSocket.OPEN) {
    complain("The workbench does not answer. Is python -m recipes still running?");
    return false;
  }
  find("#trouble").hidden = true; // it was about an earlier call
  socket.send(JSON.stringify({ token: meta("token"), do: what, ...values }));
  return true;
}

function say(text, trouble = false) {
  const place = find("#link");
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("trouble", trouble);
}

/** Connect, and connect again when the connection is lost. */
export function connect() {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.onopen = () => {
    wait = 250;
    say("Connected to the workbench");
    call("open", { recipe });
  };
  socket.onmessage = ({ data }) => {
    const news = JSON.parse(data);
    listeners[news.tell]?.forEach((listener) => listener(news));
  };
  socket.onclose = ({ code, reason }) => {
    lost.forEach((listener) => listener());
    if (code === 1008) {
      say("The workbench was started anew: reload this page.", true);
      return;
    }
    say("The workbench is gone. Start it again: python -m recipes", true);
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(2 * wait, 4000);
  };
}

// What is about a field is said at that field.
on("trouble", ({ sentence, console, about }) => console || about || complain(sentence));
