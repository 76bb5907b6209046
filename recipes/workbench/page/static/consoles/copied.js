// An exchange as code: shown in a dialog, and put into the clipboard.
import { find } from "../dom.js";
import { on } from "../live.js";

const dialog = find("#copied");
const code = find("textarea", dialog);
async function copy() {
  try {
    await navigator.clipboard.writeText(code.value);
    find("[role=status]", dialog).textContent = "It is in the clipboard.";
  } catch {
    code.select();
    find("[role=status]", dialog).textContent = "Selected: copy it with Ctrl+C or ⌘C.";
  }
}
on("copied", ({ name, text, how }) => {
  find("h2", dialog).textContent = name;
  find(".hint", dialog).textContent = how;
  code.value = text;
  dialog.showModal();
  copy();
});
find(".again", dialog).addEventListener("click", copy);
find(".done", dialog).addEventListener("click", () => dialog.close());
