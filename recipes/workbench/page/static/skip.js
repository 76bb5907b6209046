// Skip links: each leads to where the next step is, in one key.
import { find } from "./dom.js";

const PLACES = {
  text: () => find("[role=tabpanel]:not([hidden])"),
  servers: () => find(".app .open"),
  offers: () => find("#apps .offers button") ?? find(".app .start:not([hidden])"),
  console: () => find(".console [name=url]"),
  log: () => find("#which-log"),
};

for (const link of document.querySelectorAll(".skip a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault(); // an address is for what one comes back to
    const place = PLACES[link.dataset.to]();
    if (!place.matches("button, input, select, textarea, [tabindex]")) place.tabIndex = -1;
    place.focus();
    place.scrollIntoView({ block: "nearest" });
  });
}
