// The search over all texts and symptoms: results as you type, and Enter goes to them.
import { element, find } from "./dom.js";

// Milliseconds without a key after which it is asked.
const PAUSE = 150;
const field = find("#search");
const place = find("#found");
const links = () => [...place.querySelectorAll("a")];
let timer;
let asking;
let shown = "";

async function look() {
  clearTimeout(timer);
  const query = field.value.trim();
  if (query === shown) return;
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  try {
    const answer = query ? await fetch(`/search?q=${encodeURIComponent(query)}`, { signal }) : null;
    show(query, answer && (await answer.json()));
  } catch (error) {
    if (error.name !== "AbortError") tell("The workbench does not answer. Is python -m recipes still running?");
  }
}

function tell(sentence, rows = []) {
  find("p", place).textContent = sentence;
  find("ul", place).replaceChildren(...rows);
  place.hidden = !sentence;
}

function show(query, found) {
  shown = query;
  if (!found) return tell("");
  const { hits, total } = found;
  const more = total > hits.length ? `, the first ${hits.length} of them` : "";
  tell(total ? `${total} ${total === 1 ? "place" : "places"}${more}` : `Nothing has “${query}”.`, hits.map(row));
}

function row({ href, where, before, found, after }) {
  const words = element("span", { class: "words" }, before, element("mark", {}, found), after);
  return element("li", {}, element("a", { href }, element("strong", {}, where), words));
}

function fold() {
  place.hidden = true;
}

field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, PAUSE);
});
field.addEventListener("focus", () => (place.hidden = !find("p", place).textContent));
field.addEventListener("keydown", async (event) => {
  if (event.key !== "Enter" && event.key !== "ArrowDown") return;
  event.preventDefault();
  await look();
  place.hidden = !find("p", place).textContent;
  links()[0]?.focus();
});
place.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const every = links();
  (every[every.indexOf(document.activeElement) + step] ?? field).focus();
});
place.addEventListener("click", ({ target }) => target.closest("a") && fold());
find("#searching").addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || place.hidden) return;
  event.preventDefault(); // or the browser would clear the field, too
  field.focus();
  fold();
});
document.addEventListener("click", ({ target }) => find("#searching").contains(target) || fold());
