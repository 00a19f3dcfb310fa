// The tokens of one model call as running text, shaded by probability.

const BLOCK = 80; // tokens after which a new line begins a new block, which the browser lays out only when it is near
const FOLD_AROUND = 8;
const FOLD_FROM = 12; // fewer sure tokens are not worth a gap

class Heat {
  /** @param call the model call; @param link makes the fragment of a token's link; @param listener hears of tokens */
  constructor(call, listener) {
    this.call = call;
    this.size = call.logprobs.length;
    this.listener = listener;
    this.spans = [];
    this.opened = new Set();
    this.stops = [];
    this.now = null;
    this.code = call.fields.length > 0 || call.tokens.some((text) => text && text.includes("```"));
    this.element = el("div", { role: "group", "aria-label": "The answer, token by token", class: this.code ? "answer code" : "answer" });
    this.element.addEventListener("pointerover", (event) => this.#hover(event));
    this.element.addEventListener("pointerleave", () => this.listener.hover(this, null));
    this.element.addEventListener("click", (event) => this.#click(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusin", (event) => event.target.i !== undefined && this.#become(event.target.i));
  }

  probability(position) {
    const logprob = this.call.logprobs[position];
    return logprob === null ? null : Math.exp(Math.min(0, logprob));
  }

  alternatives(position) {
    return this.call.alternatives[position] || [];
  }

  /** The index in the span's arrays, which links use. */
  index(position) {
    return this.call.starts ? this.call.starts[position] : position;
  }

  position(index) {
    if (!this.call.starts) return index < this.size ? index : null;
    let found = null;
    this.call.starts.forEach((start, position) => start <= index && (found = position));
    return found;
  }

  offTop1(position) {
    const [first] = this.alternatives(position);
    const own = this.probability(position);
    return first !== undefined && own !== null && first[1] > own;
  }

  weakest(start, size) {
    let found = start;
    for (let position = start; position < start + size; position++) {
      if ((this.probability(position) ?? -1) < (this.probability(found) ?? -1)) found = position;
    }
    return found;
  }

  field(position) {
    return this.call.fields.find((field) => field.start !== null && position >= field.start && position < field.start + field.count);
  }

  /** The places that next and previous go to: runs of unsure tokens, in JSON the unsure values. */
  findStops(below) {
    const placed = this.call.fields.filter((field) => field.weakest !== null);
    if (placed.length) {
      const unsure = placed.filter((field) => field.confidence < below || this.probability(field.weakest) === null);
      const seen = new Map(unsure.map((field) => [field.weakest, { at: field.weakest }]));
      this.stops = [...seen.values()].sort((one, other) => one.at - other.at);
    } else {
      this.stops = this.#runs(below).map(([start, size]) => ({ at: this.weakest(start, size) }));
    }
    return this.stops;
  }

  #runs(below) {
    const runs = [];
    for (let position = this.call.reasoning; position < this.size; position++) {
      const probability = this.probability(position);
      const text = this.call.tokens[position];
      if ((probability !== null && probability >= below) || (text !== null && text.trim() === "")) continue;
      const last = runs.at(-1);
      if (last && last[0] + last[1] === position) last[1]++;
      else runs.push([position, 1]);
    }
    return runs;
  }

  /** Write the text anew. @param options below, fold, spaces */
  render(options) {
    this.options = options;
    this.findStops(options.below);
    this.spans = new Array(this.size);
    const parts = [];
    const { reasoning } = this.call;
    if (reasoning) {
      const words = `reasoning, ${count(reasoning, "token")}: in none of the numbers`;
      const inner = this.#blocks(0, reasoning, false);
      parts.push(el("details", { class: "reasoning", open: reasoning <= 60 }, el("summary", {}, words), ...inner));
    }
    parts.push(...this.#blocks(reasoning, this.size, options.fold));
    this.element.classList.toggle("few", this.size < 400);
    this.element.replaceChildren(...parts);
    const marked = this.stops.map((stop) => stop.at);
    for (const position of marked) this.#makeButton(position);
    const first = this.now ?? marked[0];
    if (first !== undefined && this.spans[first]) this.#makeButton(first).tabIndex = 0;
    if (this.now !== null && this.spans[this.now]) this.spans[this.now].classList.add("now");
  }

  #blocks(from, to, fold) {
    const kept = fold ? this.#kept(from, to) : null;
    const blocks = [];
    let block = null;
    let size = 0;
    for (let position = from; position < to; position++) {
      let text = this.call.tokens[position];
      const lines = size >= BLOCK && text ? /^\n+(?=.)/.exec(text) : null;
      if (lines && block && !(kept && !kept[position])) {
        block.append(this.options.spaces ? "⏎\n".repeat(lines[0].length) : lines[0]);
        text = text.slice(lines[0].length);
        block = null;
      }
      if (block === null) {
        block = el("div", { class: "block" });
        blocks.push(block);
        size = 0;
      }
      if (kept && !kept[position]) {
        let end = position;
        while (end < to && !kept[end]) end++;
        block.append(this.#gap(position, end));
        position = end - 1;
        size++;
        continue;
      }
      this.#token(block, position, text);
      size++;
      if (size >= BLOCK && text && text.endsWith("\n")) block = null;
    }
    // Only now: the browser looks for the direction anew with each child that is added.
    for (const each of blocks) each.dir = "auto";
    return blocks;
  }

  #kept(from, to) {
    const kept = new Uint8Array(to).fill(0);
    for (const { at } of this.stops) kept.fill(1, Math.max(from, at - FOLD_AROUND), Math.min(to, at + FOLD_AROUND + 1));
    for (let start = from; start < to; start++) {
      if (kept[start]) continue;
      let end = start;
      while (end < to && !kept[end]) end++;
      if (end - start < FOLD_FROM || this.opened.has(start)) kept.fill(1, start, end);
      start = end;
    }
    return kept;
  }

  #gap(start, end) {
    const open = () => {
      this.opened.add(start);
      this.render(this.options);
      this.focus(start);
    };
    return el("button", { class: "gap", type: "button", onclick: open }, `… ${count(end - start, "token")}, none under ${decimal(this.options.below)} …`);
  }

  #token(block, position, text) {
    const { spaces } = this.options;
    const probability = this.probability(position);
    const step = band(probability);
    const span = document.createElement("span");
    span.className = step === "b0" ? "t" : "t i " + step;
    span.i = position;
    this.spans[position] = span;
    if (text === null) {
      span.textContent = "■";
      block.append(span, "\u200b ");
      return;
    }
    if (this.offTop1(position)) span.classList.add("off");
    const core = text.trim();
    const doubted = probability === null || probability < 0.5;
    if (core === "" && !spaces && doubted) {
      span.textContent = text === "" ? "∎" : text.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥");
      block.append(span, "\n".repeat(text.split("\n").length - 1));
    } else if (core === "" || core === text || spaces) {
      appendText(span, text, { spaces });
      block.append(span);
    } else {
      // The space around is left bare: shaded words then stand apart, and a token's edge can be seen.
      const start = text.indexOf(core);
      appendText(span, core);
      block.append(text.slice(0, start), span, text.slice(start + core.length));
    }
  }

  #makeButton(position) {
    const span = this.spans[position];
    if (!span) return document.createElement("span");
    span.classList.add("i");
    if (!span.hasAttribute("role")) {
      span.setAttribute("role", "button");
      span.tabIndex = -1;
    }
    span.setAttribute("aria-label", this.label(position));
    return span;
  }

  /** What a screen reader says of a token. */
  label(position) {
    const others = labelled(this.alternatives(position).slice(0, 3)).map(([text, probability]) => `${text} ${decimal(probability)}`);
    const nearly = others.length ? ", nearly " + others.join(", ") : "";
    return `${tokenText(this.call.tokens[position]?.trim() || this.call.tokens[position])}, probability ${decimal(this.probability(position))}${nearly}`;
  }

  #hover(event) {
    const found = event.target.closest(".t");
    if (found) this.listener.hover(this, found.i);
  }

  #click(event) {
    const found = event.target.closest(".t");
    if (found) this.focus(found.i, { scroll: false });
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.target.i === undefined) return;
    event.preventDefault();
    const backwards = getComputedStyle(event.target.closest(".block")).direction === "rtl" ? -1 : 1;
    let position = event.target.i + step * backwards;
    while (position >= 0 && position < this.size && !this.spans[position]) position += step * backwards;
    if (this.spans[position]) this.focus(position);
  }

  /** Move the keyboard's focus to a token, out of a folded passage if it must be. */
  focus(position, { scroll = true } = {}) {
    if (!this.spans[position]) this.render({ ...this.options, fold: false });
    const span = this.#makeButton(position);
    span.closest("details")?.setAttribute("open", "");
    span.focus({ preventScroll: true });
    if (scroll) span.scrollIntoView({ block: "center", inline: "nearest" });
  }

  #become(position) {
    if (this.now !== null && this.spans[this.now]) {
      this.spans[this.now].classList.remove("now");
      this.spans[this.now].tabIndex = -1;
    }
    this.now = position;
    this.spans[position].classList.add("now");
    this.spans[position].tabIndex = 0;
    this.listener.focus(this, position);
  }

  /** Underline the tokens of one field. */
  markField(field) {
    for (const span of this.element.querySelectorAll(".value")) span.classList.remove("value");
    if (!field || field.start === null) return;
    for (let position = field.start; position < field.start + field.count; position++) this.spans[position]?.classList.add("value");
  }
}
