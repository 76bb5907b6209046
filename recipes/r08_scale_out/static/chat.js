"use strict";
// The page's end of the chat: what it shows, and how it comes back.

const LONGEST_WAIT = 5000; // ms between two attempts to connect
const LONGEST_TEXT = 64 * 1024; // bytes of UTF-8, as the server takes them
const MOST_SHOWN = 500; // messages kept on the page

const statusLine = document.querySelector("#status");
const messages = document.querySelector("#messages");
const form = document.querySelector("#form");
const input = document.querySelector("#messageText");

// The socket has the page's own address, whatever host, port or prefix that has.
const address = new URL(location.href);
address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
address.search = address.hash = "";

let socket;
let attempts = 0;
// What was sent off and has not come back as "You", oldest first: {text, item}.
const outbox = [];

function connect() {
  const opening = new WebSocket(address);
  socket = opening;
  const giveUp = setTimeout(() => opening.close(), LONGEST_WAIT);
  let steady;

  opening.onopen = () => {
    clearTimeout(giveUp);
    statusLine.textContent = "Connected";
    steady = setTimeout(() => { attempts = 0; }, LONGEST_WAIT);
    for (const { text } of outbox) opening.send(text);
  };

  opening.onmessage = (event) => {
    const { sender, message } = JSON.parse(event.data);
    // Shown already, when it was sent off. Echoes come in that order.
    if (sender === "You" && outbox.length) {
      outbox.shift().item.classList.remove("waiting");
    } else {
      show(sender, message);
    }
  };

  opening.onclose = (event) => {
    clearTimeout(giveUp);
    clearTimeout(steady);
    // Too big, as the server counts: sent again, it would end the next one too.
    if (event.code === 1009 && outbox.length) {
      outbox.shift().item.remove();
      show("system", "Your message was too long and is not sent");
    }
    statusLine.textContent = "Disconnected, trying again…";
    // Random, so that not everybody comes back in the same moment (full jitter).
    const wait = Math.random() * Math.min(LONGEST_WAIT, 500 * 2 ** attempts);
    attempts += 1;
    setTimeout(connect, wait);
  };
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
  if (messages.children.length > MOST_SHOWN + outbox.length) {
    messages.firstElementChild.remove();
  }
  if (atEnd || sender === "You") messages.scrollTop = messages.scrollHeight;
  return item;
}

form.onsubmit = (event) => {
  event.preventDefault();
  const text = input.value;
  if (new TextEncoder().encode(text).length > LONGEST_TEXT) {
    show("system", "This message is too long");
    return;
  }
  const item = show("You", text);
  item.classList.add("waiting");
  outbox.push({ text, item });
  if (socket.readyState === WebSocket.OPEN) socket.send(text);
  input.value = "";
  input.focus();
};

connect();
