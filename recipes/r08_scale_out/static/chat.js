"use strict";
// The page's end of the chat: it comes back where it was, on whatever worker.

const LONGEST_WAIT = 5000; // ms between two attempts to connect
const LONGEST_TEXT = 64 * 1024; // bytes of UTF-8, as the server takes them
const MOST_SHOWN = 500; // messages kept on the page
const AGAIN = 1000; // ms until what was not delivered is sent again

const statusLine = document.querySelector("#status");
const messages = document.querySelector("#messages");
const form = document.querySelector("#form");
const input = document.querySelector("#messageText");

// The socket has the page's own address, whatever host, port or prefix that has.
const address = new URL(location.href);
address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
address.hash = "";
// Who this page is, over all its connections. randomUUID() is for https alone.
const client = random();

let socket;
let attempts = 0;
let lastId; // of what came last
let again; // the timer until the outbox is sent again
// The ids that were shown: what is still kept may have been shown before.
const shown = new Set();
// What was sent off and has not come back as "You", oldest first: key -> {text, item}.
const outbox = new Map();

function random() {
  const numbers = crypto.getRandomValues(new Uint32Array(4));
  return Array.from(numbers, (each) => each.toString(36)).join("");
}

function frame(key, message) {
  return JSON.stringify({ key, message });
}

// In order. What the server has already it takes for the same, by its key.
function sendAll() {
  clearTimeout(again);
  again = undefined;
  if (socket.readyState !== WebSocket.OPEN) return;
  for (const [key, { text }] of outbox) socket.send(frame(key, text));
}

function connect() {
  address.search = new URLSearchParams({ client, ...(lastId && { since: lastId }) });
  const opening = new WebSocket(address);
  socket = opening;
  const giveUp = setTimeout(() => opening.close(), LONGEST_WAIT);
  let steady;

  opening.onopen = () => {
    clearTimeout(giveUp);
    statusLine.textContent = "Connected";
    steady = setTimeout(() => { attempts = 0; }, LONGEST_WAIT);
    sendAll();
  };

  opening.onmessage = (event) => take(JSON.parse(event.data));

  opening.onclose = () => {
    clearTimeout(giveUp);
    clearTimeout(steady);
    statusLine.textContent = "Disconnected, trying again…";
    // Random, so that not everybody comes back in the same moment (full jitter).
    const wait = Math.random() * Math.min(LONGEST_WAIT, 500 * 2 ** attempts);
    attempts += 1;
    setTimeout(connect, wait);
  };
}

function take({ sender, message, id, key, text }) {
  if (id) {
    lastId = id;
    if (shown.has(id)) return;
    shown.add(id);
    // A Set keeps the order in which things came: the first is the oldest.
    if (shown.size > 4 * MOST_SHOWN) shown.delete(shown.values().next().value);
  }
  if (sender === "You" && key) {
    // Shown already, when it was sent off.
    outbox.get(key)?.item.classList.remove("waiting");
    outbox.delete(key);
  } else if (sender === "system" && text !== undefined) {
    // Not delivered: it stays in the outbox, marked as waiting.
    again ??= setTimeout(sendAll, AGAIN);
  } else {
    show(sender, message);
    if (sender === "system" && !id && message === "Delivery is back") sendAll();
  }
}

function show(sender, message) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.className = "sender";
  // textContent: a name or a message is text, never markup.
  name.textContent = sender;
  item.className = sender === "system" ? "system" : "";
  item.append(name, `: ${message}`);
  const atEnd =
    messages.scrollTop + messages.clientHeight > messages.scrollHeight - 40;
  messages.append(item);
  if (messages.children.length > MOST_SHOWN + outbox.size) {
    messages.firstElementChild.remove();
  }
  if (atEnd || sender === "You") messages.scrollTop = messages.scrollHeight;
  return item;
}

form.onsubmit = (event) => {
  event.preventDefault();
  const text = input.value;
  const key = random();
  if (new TextEncoder().encode(frame(key, text)).length > LONGEST_TEXT) {
    show("system", "This message is too long");
    return;
  }
  const item = show("You", text);
  item.classList.add("waiting");
  outbox.set(key, { text, item });
  if (socket.readyState === WebSocket.OPEN) socket.send(frame(key, text));
  input.value = "";
  input.focus();
};

// A reload would drop what is not sent yet.
addEventListener("beforeunload", (event) => {
  if (outbox.size) event.preventDefault();
});

connect();
