// The rows of a console. All records are kept up to a bound; a part of them is on the page.
import { count, holds, isControl } from "./records.js";
import { rowOf } from "./rows.js";

const MOST = 10000;
// Rows that are made at a time: to make all of a flood would take the page seconds.
const CHUNK = 250;
// Records that are kept over a reload.
const MOST_KEPT = 200;

export class Lanes {
  /** Takes a console's place; `again` is called with a frame that shall be sent again. */
  constructor(place, again) {
    this.place = place.querySelector(".lanes");
    this.note = place.querySelector(".left-out");
    this.fresh = place.querySelector(".fresh");
    this.again = again;
    this.made = 0; // records, ever
    this.leftOut = 0;
    this.records = [];
    this.shown = []; // those that the filter lets through, and from..to of them on the page
    this.from = this.to = 0;
    this.missed = 0;
    this.filter = "";
    this.pings = false;
    this.following = true;
    this.top = 0;
    this.place.addEventListener("scroll", () => this.scrolled());
    // Narrower, its texts take more lines.
    new ResizeObserver(() => this.following && this.toBottom()).observe(this.place);
    this.fresh.addEventListener("click", () => this.toEnd());
  }

  passes(record) {
    return (this.pings || !isControl(record)) && (!this.filter || holds(record, this.filter));
  }

  add(records) {
    for (const record of records) record.n = this.made++;
    const wasAtEnd = this.to === this.shown.length;
    const more = records.filter((record) => this.passes(record));
    this.records.push(...records);
    this.shown.push(...more);
    this.trim();
    const rows = this.shown.length - this.to;
    if (this.following && (rows > CHUNK || !wasAtEnd)) this.render(this.shown.length - CHUNK, this.shown.length);
    else if (wasAtEnd && (this.following || this.to - this.from + rows < 3 * CHUNK)) this.append(rows);
    if (this.following) this.toBottom();
    else this.missed += more.length;
    this.tell();
  }

  /** Drop what is over the bound, oldest first. */
  trim() {
    const over = this.records.length - MOST;
    if (over <= 0) return;
    this.leftOut += over;
    this.records.splice(0, over);
    const first = this.records[0].n;
    const gone = this.shown.findIndex(({ n }) => n >= first);
    const many = gone < 0 ? this.shown.length : gone;
    this.shown.splice(0, many);
    for (let n = this.from; n < Math.min(many, this.to); n += 1) this.place.firstElementChild.remove();
    this.from = Math.max(0, this.from - many);
    this.to = Math.max(0, this.to - many);
  }

  row(record) {
    return rowOf(record, this.again);
  }

  render(from, to) {
    this.from = Math.max(0, from);
    this.to = to;
    this.place.replaceChildren(...this.shown.slice(this.from, to).map((each) => this.row(each)));
  }

  append(most) {
    const to = Math.min(this.shown.length, this.to + most);
    this.place.append(...this.shown.slice(this.to, to).map((each) => this.row(each)));
    this.to = to;
    const over = this.following ? this.to - this.from - 2 * CHUNK : 0;
    if (over > CHUNK) this.render(this.to - CHUNK, this.to);
  }

  prepend() {
    const from = Math.max(0, this.from - CHUNK);
    const { scrollHeight, scrollTop } = this.place;
    this.place.prepend(...this.shown.slice(from, this.from).map((each) => this.row(each)));
    this.from = from;
    this.place.scrollTop = scrollTop + this.place.scrollHeight - scrollHeight;
  }

  scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.place;
    const atBottom = scrollTop + clientHeight > scrollHeight - 40;
    if (atBottom && this.to < this.shown.length) this.append(CHUNK);
    else if (scrollTop < 100 && this.from > 0) this.prepend();
    // A person scrolls up; what is new, or wrapped anew, moves the end down.
    if (scrollTop < this.top - 1 && !atBottom) this.following = false;
    else if (atBottom && this.to === this.shown.length) this.following = true;
    this.top = this.place.scrollTop;
    if (this.following) this.missed = 0;
    this.tell();
  }

  /** Follow what comes, from now on. */
  toEnd() {
    this.following = true;
    this.missed = 0;
    if (this.to < this.shown.length) this.render(this.shown.length - CHUNK, this.shown.length);
    this.toBottom();
    this.tell();
    this.place.focus({ preventScroll: true });
  }

  toBottom() {
    this.place.scrollTop = this.place.scrollHeight;
    this.top = this.place.scrollTop;
  }

  tell() {
    this.note.hidden = !this.leftOut;
    this.note.textContent = `${count(this.leftOut, "earlier row")} left out.`;
    this.fresh.hidden = !this.missed;
    this.fresh.textContent = `↓ ${count(this.missed, "new row")}`;
  }

  /** Show only what holds the words; with or without pings and pongs. */
  sift(words, pings) {
    this.filter = words.trim().toLowerCase();
    this.pings = pings;
    this.shown = this.records.filter((record) => this.passes(record));
    this.following = true;
    this.missed = 0;
    this.render(this.shown.length - CHUNK, this.shown.length);
    this.toBottom();
    this.tell();
  }

  clear() {
    this.records = [];
    this.leftOut = 0;
    this.sift(this.filter, this.pings);
  }

  /** What is kept over a reload: the last ones, as many as there is room for. */
  kept(room) {
    const records = [];
    for (const record of this.records.slice(-MOST_KEPT).reverse()) {
      room -= JSON.stringify(record).length;
      if (room < 0) break;
      records.unshift(record);
    }
    return { records, leftOut: this.leftOut + this.records.length - records.length };
  }

  restore({ records, leftOut }) {
    this.add(records);
    this.leftOut += leftOut;
    this.tell();
  }
}
