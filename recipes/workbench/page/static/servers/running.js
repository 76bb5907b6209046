// What runs, of all recipes: told to whoever asks, and stopped from any page.
import { element, find } from "../dom.js";
import { call, on, onLost } from "../live.js";

const listeners = [];
let now = [];

/** Have `listener` called with the servers that run, now and whenever that changes. */
export function onRunning(listener) {
  listeners.push(listener);
  listener(now);
}

function tell(servers) {
  now = servers;
  listeners.forEach((listener) => listener(now));
}
on("running", ({ servers }) => tell(servers));
onLost(() => tell([]));

const place = find("#running");
onRunning((servers) => {
  place.hidden = !servers.length;
  if (!servers.length) place.open = false;
  find("summary", place).textContent = `${servers.length} running`;
  // A row that goes hands the focus to what opened the list.
  const held = find("ul", place).contains(document.activeElement) ? document.activeElement.dataset.server : null;
  const rows = servers.map(({ recipe, app, state, port }) => {
    const name = `${recipe} ${app}`;
    const link = element("a", { href: `/${recipe}` }, name);
    const stop = element("button", { type: "button" }, "Stop");
    stop.dataset.server = name;
    stop.setAttribute("aria-label", `Stop ${name}`);
    stop.addEventListener("click", () => call("stop", { recipe, app }));
    return element("li", {}, link, element("span", {}, port ? `:${port}` : state), stop);
  });
  find("ul", place).replaceChildren(...rows);
  if (held !== null) (find(`[data-server="${held}"]`, place) ?? find("summary", place)).focus();
});
