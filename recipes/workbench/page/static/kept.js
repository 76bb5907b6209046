// What outlives a reload: small values of one recipe, kept in the browser.
import { recipe } from "./live.js";

/** For as long as the tab of the browser is open. */
export const session = room(() => sessionStorage);

/** Until it is taken away. */
export const always = room(() => localStorage);

// A browser may forbid to keep things, or have no room for more: then nothing is kept.
function room(storage) {
  const name = (key) => `${recipe} ${key}`;
  return {
    /** What was kept; `otherwise` if nothing was, or it cannot be read. */
    recall(key, otherwise = null) {
      try {
        return JSON.parse(storage().getItem(name(key))) ?? otherwise;
      } catch {
        return otherwise;
      }
    },
    /** Keep a value; false if that cannot be done. */
    keep(key, value) {
      try {
        storage().setItem(name(key), JSON.stringify(value));
        return true;
      } catch {
        return false;
      }
    },
    forget(key) {
      try {
        storage().removeItem(name(key));
      } catch {
        // Then it was not kept either.
      }
    },
  };
}
