// The outline of a text: its headings as links, and at which of them one reads.
import { find } from "./dom.js";

const outline = find(".outline details");
const wide = matchMedia("(min-width: 70rem)");

// Scrolled is the column or, on a narrow page, all of it.
function isAtEnd() {
  const column = outline.closest("#read");
  const within = column && getComputedStyle(column).overflowY === "auto" ? column : document.scrollingElement;
  return within.scrollTop + within.clientHeight > within.scrollHeight - 2;
}

function follow() {
  const links = [...outline.querySelectorAll("a")];
  const headings = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));

  function note() {
    if (!outline.offsetParent) return; // another tab is open
    const top = outline.getBoundingClientRect().bottom + 72;
    let now = headings.findLastIndex((heading) => heading && heading.getBoundingClientRect().top < top);
    // The last ones cannot come up to here: then it is the one that was asked for.
    const asked = links.findIndex((link) => link.hash === location.hash);
    if (asked > now && isAtEnd()) now = asked;
    links.forEach((link, n) => {
      if (n === now) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    find(".here-now", outline).textContent = now < 0 ? "" : `: ${links[now].textContent}`;
  }

  // Where there is room it is open; on a narrow page it would push the text away.
  const unfold = () => (outline.open = wide.matches);
  unfold();
  wide.addEventListener("change", unfold);
  outline.addEventListener("click", ({ target }) => {
    if (target.closest("a") && !wide.matches) outline.open = false;
  });
  document.addEventListener("scroll", note, { capture: true, passive: true });
  addEventListener("tab-shown", note);
  addEventListener("hashchange", note);
  note();
}

if (outline) follow();
