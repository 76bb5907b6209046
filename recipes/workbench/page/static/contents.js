// The contents: how far you are, as judging your exercises finds it, and where to go on.
import { find } from "./dom.js";
import { connect, on } from "./live.js";
import "./servers/running.js";

const places = [...document.querySelectorAll(".recipes > li")];
const known = new Map();

on("progress", ({ recipe, state, passed, total }) => {
  const place = find(`#${recipe}`);
  const bar = find("progress", place);
  bar.hidden = !total;
  bar.max = total || 1;
  bar.value = passed;
  find(".progress span", place).textContent = state;
  known.set(recipe, { begun: total > 0, done: total > 0 && passed === total });
  goOn();
});
on("judging", ({ sentence }) => (find("#judging").textContent = sentence));

/** Mark the first recipe that is not passed, once all before it are known to be. */
function goOn() {
  const next = places.find(({ id }) => !known.get(id)?.done);
  for (const place of places) {
    const here = place === next && known.has(place.id);
    const link = find(".go-on", place);
    link.hidden = !here;
    if (here) place.setAttribute("aria-current", "step");
    else place.removeAttribute("aria-current");
    if (!here) continue;
    const { begun } = known.get(place.id);
    link.textContent = begun || place !== places[0] ? "Go on here" : "Begin here";
    link.href = begun ? `/${place.id}#exercise` : `/${place.id}`;
  }
}

connect();
