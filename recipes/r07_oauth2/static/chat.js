"use strict";
// Recipe 5's page, for users who log in: their cookie opens the socket.

const LONGEST_WAIT = 5000; // ms between two attempts to connect
const LONGEST_TEXT = 64 * 1024; // bytes of UTF-8, as the server takes them
const MOST_SHOWN = 500; // messages kept on the page

const statusLine = document.querySelector("#status");
const messages = document.querySelector("#messages");
const form = document.querySelector("#form");
const input = document.querySelector("#messageText");
const user = document.querySelector("#ws-id").textContent;

// The socket's address is beside the page's, whatever host, port or prefix that has.
const address = new URL("chat/ws", location.href);
address.protocol = address.protocol === "https:" ? "wss:" : "ws:";

let socket;
let attempts = 0;
let wasHere = false;
// What was sent off and has not come back as "You", oldest first: {text, item}.
const outbox = [];

async function connect() {
  // A page cannot see why a handshake was refused. Whether the cookie is still good,
  // and still this user's, the page itself tells: the server redirects if not.
  const signal = AbortSignal.timeout(LONGEST_WAIT);
  const page = await fetch(location.href, { redirect: "manual", signal })
    .then(async (answer) => {
      return { type: answer.type, status: answer.status, html: await answer.text() };
    })
    .catch(() => null);
  // No answer, or one of a proxy whose server is away (502): this page stays.
  if (page === null || page.status >= 500) return comeBack();
  const itsUser = new DOMParser()
    .parseFromString(page.html, "text/html")
    .querySelector("#ws-id")?.textContent;
  if (page.type === "opaqueredirect" || itsUser !== user) return logInAgain();
  const opening = new WebSocket(address);
  socket = opening;
  const giveUp = setTimeout(() => opening.close(), LONGEST_WAIT);
  let steady;

  opening.onopen = () => {
    clearTimeout(giveUp);
    statusLine.textContent = "Connected";
    // The server keeps no messages: say that there may be a gap.
    if (wasHere) show("system", "Back again; what was said meanwhile is not here");
    wasHere = true;
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
    comeBack();
  };
}

function comeBack() {
  statusLine.textContent = "Disconnected, trying again…";
  // Random, so that those who went together do not come back together (full jitter).
  const wait = Math.random() * Math.min(LONGEST_WAIT, 500 * 2 ** attempts);
  attempts += 1;
  setTimeout(connect, wait);
}

function logInAgain() {
  // What is not sent yet waits in this tab until its user is back.
  const unsent = { user, texts: outbox.map(({ text }) => text), typing: input.value };
  sessionStorage.setItem("unsent", JSON.stringify(unsent));
  outbox.length = 0;
  location.reload();
}

function sendOff(text) {
  const item = show("You", text);
  item.classList.add("waiting");
  outbox.push({ text, item });
  if (socket?.readyState === WebSocket.OPEN) socket.send(text);
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
  sendOff(text);
  input.value = "";
  input.focus();
};

const unsent = JSON.parse(sessionStorage.getItem("unsent") ?? "null");
sessionStorage.removeItem("unsent");
if (unsent?.user === user) {
  unsent.texts.forEach(sendOff);
  input.value = unsent.typing;
}

// What the server has not got is in this page alone: ask before it is closed.
addEventListener("beforeunload", (event) => {
  if (outbox.length) event.preventDefault();
});

connect();
