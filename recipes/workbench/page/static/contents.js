// The contents: how far you are, as judging your exercises finds it.
import { find } from "./dom.js";
import { connect, on } from "./live.js";
import "./servers/running.js";

on("progress", ({ recipe, state, passed, total }) => {
  const place = find(`#${recipe} .progress`);
  const bar = find("progress", place);
  bar.hidden = !total;
  bar.max = total || 1;
  bar.value = passed;
  find("span", place).textContent = state;
});
on("judging", ({ sentence }) => (find("#judging").textContent = sentence));

connect();
