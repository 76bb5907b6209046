// Records of a console as a file of JSON.

/** Have the browser save a value under a name. */
export function save(name, value) {
  const text = JSON.stringify(value, null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
