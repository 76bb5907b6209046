// A button at each piece of code of a text, which copies it.
import { complain, element, find } from "../dom.js";

export function copyButtons() {
  for (const code of document.querySelectorAll(".text pre.code:not(.output)")) {
    const button = element("button", { class: "copy-code", type: "button" }, "Copy");
    button.setAttribute("aria-label", "Copy this code");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(find("code", code).textContent);
        button.textContent = "Copied";
      } catch {
        complain("The browser does not let a page copy: select the code and press Ctrl+C.");
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    const frame = element("div", { class: "copyable" });
    code.before(frame);
    frame.append(code, button);
  }
}
