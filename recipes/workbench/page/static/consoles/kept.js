// A console as it is kept over a reload: its fields, its draft, and what was said.

/** What is kept of a console, in so many characters of records. */
export function keptOf(console, room) {
  const { number, state, attempts, suggested, address, lanes, compose } = console;
  return {
    ...{ number, state, attempts, suggested },
    address: address.kept(),
    lanes: lanes.kept(room),
    draft: compose.draft,
    sent: compose.sent,
    filter: console.find(".filter").value,
    pings: console.find(".pings").checked,
  };
}

/** Make a new console the one that was kept. */
export function restore(console, kept) {
  console.address.restore(kept.address);
  console.compose.restore(kept.sent, kept.draft);
  console.find(".filter").value = kept.filter;
  console.find(".pings").checked = kept.pings;
  console.lanes.restore(kept.lanes);
  console.sift();
  console.attempts = kept.attempts;
  console.state = kept.state;
  console.lose("The page was left, and this connection ended with it.");
  console.state = "idle";
  console.suggest(kept.suggested);
}
