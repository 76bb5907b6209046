// For those who hear the page: the newest thing, not each of a flood.

/** A function that has a text said in a place, a little later, unless a newer one comes. */
export function voice(place) {
  let newest;
  let saying;
  return (text) => {
    newest = text;
    saying ??= setTimeout(() => {
      saying = undefined;
      place.textContent = newest;
    }, 300);
  };
}
