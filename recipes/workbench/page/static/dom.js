// The two things that every script here does with the document.

/** The first element that matches, within another or the whole page. */
export const find = (selector, within = document) => within.querySelector(selector);

/**
 * A new element. Text is set as text, so nothing that came from a server is ever HTML.
 * @param {string} tag
 * @param {object} properties of the element; `class` is its class
 * @param {...(Node|string)} children
 */
export function element(tag, { class: name = "", ...properties } = {}, ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

/** Say something went wrong, for a while. */
export function complain(sentence) {
  const place = find("#trouble");
  place.textContent = sentence;
  place.hidden = false;
  clearTimeout(complain.timer);
  complain.timer = setTimeout(() => (place.hidden = true), 8000);
}
