// The card of one model call: its numbers, its text, its unsure places, its values, its choices, its timing.

const PLACES = 8;
const FACTS = [
  ["logprobs.mean", "mean", (value) => value.toFixed(3) + " nats"],
  ["logprobs.perplexity", "perplexity", (value) => value.toFixed(2)],
  ["logprobs.entropy.mean", "entropy", (value) => value.toFixed(2) + " nats"],
  ["logprobs.entropy.covered_mass", "covered by the alternatives", (value) => decimal(Math.min(1, value))],
  ["logprobs.off_top1.ratio", "not the first choice", (value) => decimal(value)],
  ["logprobs.reasoning.mean", "reasoning", (value) => value.toFixed(3) + " nats, in no other number"],
  ["gen_ai.response.model", "model", visible],
  ["gen_ai.response.finish_reasons", "ended by", (value) => [...new Set(value)].map((reason) => visible(String(reason))).join(", ")],
];
const STATUS = {
  not_requested: "No logprobs: they were not asked for, e.g. with ChatOpenAI(logprobs=True, top_logprobs=5).",
  missing: "No logprobs: they were asked for, but none came.",
  partial: "Only a part of the logprobs was recorded.",
};

class Call {
  /** @param span the span of a model call; @param page what hears of tokens and knows the settings */
  constructor(span, page) {
    this.span = span;
    this.call = span.call;
    this.page = page;
    this.heat = new Heat(span.call, { hover: (heat, position) => page.hover(this, position), focus: (heat, position) => page.focused(this, position) });
    this.element = el("div", { class: "card" });
    this.built = false;
  }

  /** Draw the card, once: a trace can have hundreds of them. */
  build() {
    if (this.built) return;
    this.built = true;
    const { call } = this;
    const long = this.heat.size > 300;
    const places = this.#places();
    const parts = [this.#facts(), ...this.#notes(), ...this.#question()];
    if (this.heat.size) {
      this.heat.render(this.page.options);
      parts.push(this.#strip(), long ? places : null, this.heat.element);
      if (call.omitted) parts.push(el("p", { class: "dim" }, `… ${count(call.omitted, "token")} more, which the span had no room for`));
      parts.push(long ? null : places);
    } else parts.push(...this.#texts(call.output.slice(0, 1)));
    parts.push(this.#fields(), ...this.#choices(), this.#timing(), this.#tools());
    this.element.replaceChildren(...parts.filter(Boolean));
  }

  refresh() {
    if (this.built && this.heat.size) this.heat.render(this.page.options);
    else this.heat.findStops(this.page.options.below);
  }

  /** The fragment of a token's link, or of the span's. */
  fragment(position = null) {
    return `#span-${this.span.id}` + (position === null ? "" : `-token-${this.heat.index(position)}`);
  }

  #facts() {
    const found = this.span.attributes;
    const facts = [];
    const fact = (label, ...value) => facts.push(el("span", { class: "text" }, el("span", { class: "dim" }, label + " "), ...value));
    const weakest = found["logprobs.min.probability"];
    if (weakest !== undefined) {
      const text = found["logprobs.min.token"];
      fact("weakest", ...(text === undefined ? [] : [el("bdi", {}, quoted(text) + " ")]), chip(weakest));
    }
    const total = found["logprobs.token.count"];
    const censored = found["logprobs.token.censored_count"];
    if (total !== undefined) fact("tokens", count(total) + (censored ? ` and ${count(censored)} without a probability` : ""));
    for (const [name, label, form] of FACTS) if (found[name] !== undefined) fact(label, form(found[name]));
    return el("div", { class: "facts" }, ...facts);
  }

  #notes() {
    const { call, span } = this;
    const notes = [];
    if (call.status === "partial" && !this.heat.size) notes.push("No logprobs" + (call.reason ? `: ${visible(call.reason, 500)}.` : "."));
    else if (STATUS[call.status]) notes.push(STATUS[call.status] + (call.reason ? ` (${visible(call.reason, 500)})` : ""));
    else if (call.status !== "recorded") notes.push(`The status of the logprobs is ${visible(call.status)}.`);
    const alignment = span.attributes["logprobs.alignment"];
    if (alignment === "failed") notes.push("The tokens do not spell the answer, so no number here is about it.");
    const reasons = span.attributes["gen_ai.response.finish_reasons"] || [];
    if (reasons.includes("length")) notes.push("The answer was cut off at the token limit.");
    return notes.map((words) => el("p", { class: "note" }, words));
  }

  #question() {
    if (!this.call.input.length) return [];
    return [el("details", { open: this.call.input.length < 3 }, el("summary", {}, "Question"), ...this.#texts(this.call.input))];
  }

  #texts(messages) {
    return messages.flatMap((message) =>
      message.parts.map((part) => {
        const words = part.kind === "text" ? message.role : [message.role, part.kind.replaceAll("_", " "), part.name].filter(Boolean).join(" · ");
        const said = el("div", { class: "said", dir: "auto" }, el("span", { class: "role" }, visible(words)));
        appendText(said, part.text, { most: 20000 });
        return said;
      }),
    );
  }

  #strip() {
    const words = `Where the unsure tokens are: ${count(this.heat.stops.length, "place")}`;
    const canvas = el("canvas", { class: "strip", role: "img", "aria-label": words });
    canvas.addEventListener("click", (event) => {
      const part = event.offsetX / canvas.clientWidth;
      this.heat.focus(Math.min(this.heat.size - 1, Math.floor(part * this.heat.size)));
    });
    this.page.draw(canvas, (context, width, height, colour) => {
      context.fillStyle = colour("--strip");
      context.fillRect(0, 0, width, height);
      const step = Math.max(1, width / this.heat.size);
      for (const wanted of ["b1", "b2", "bx", "b3", "b4"]) {
        context.fillStyle = colour("--" + wanted);
        for (let position = 0; position < this.heat.size; position++) {
          if (band(this.heat.probability(position)) !== wanted) continue;
          context.fillRect((position / this.heat.size) * width, 0, Math.max(step, wanted === "b4" ? 3 : 2), height);
        }
      }
    });
    return canvas;
  }

  /** The recorded stretches, the least certain first; without them the least certain tokens. */
  #places() {
    const { call, heat } = this;
    if (call.fields.length && call.fields.some((field) => field.weakest !== null)) return null;
    const recorded = call.stretches.map((stretch) => ({ at: heat.weakest(stretch.start, stretch.count), stretch }));
    const listed = recorded.length ? recorded : call.least_certain.map((at) => ({ at, stretch: null }));
    if (!listed.length) return heat.size ? el("p", { class: "dim" }, "No token under .50.") : null;
    const items = listed.map(({ at, stretch }) => el("li", {}, this.#place(at, stretch)));
    const more = items.splice(PLACES);
    return el(
      "div",
      {},
      el("h3", {}, recorded.length ? "Unsure places, the least certain first" : "Least certain tokens"),
      el("ol", { class: "places" }, ...items),
      more.length ? el("details", {}, el("summary", {}, `${count(more.length)} more`), el("ol", { class: "places", start: PLACES + 1 }, ...more)) : null,
    );
  }

  #place(at, stretch) {
    const words = quoted(stretch && stretch.text !== null ? stretch.text : this.call.tokens[at]);
    const line = [this.#link(at, words), " ", chip(stretch ? stretch.probability : this.heat.probability(at))];
    const others = labelled(this.heat.alternatives(at).slice(0, 3));
    const own = stretch && stretch.count > 1 ? `: ${quoted(this.call.tokens[at])}` : "";
    if (others.length) {
      line.push(el("span", { class: "dim" }, `${own} nearly `));
      others.forEach(([text, value], index) => line.push(index ? " · " : "", el("bdi", {}, text), " " + decimal(value)));
    }
    return el("span", {}, ...line);
  }

  #link(at, words) {
    const go = (event) => {
      event.preventDefault();
      this.heat.focus(at);
    };
    return el("a", { href: this.fragment(at), onclick: go }, el("bdi", {}, words));
  }

  #fields() {
    const { call } = this;
    if (!call.fields.length) return null;
    const rows = call.fields.map((field) => this.#field(field));
    const head = ["value", "path", "confidence", "nearly"].map((word) => el("th", { scope: "col" }, word));
    const left = call.field_count - call.fields.length;
    return el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values of the structured answer" },
      el("h3", {}, "Values"),
      el("table", { class: "fields" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)),
      left > 0 ? el("p", { class: "dim" }, `and ${count(left, "value")} more, which are more certain or have no tokens`) : null,
      call.field_status && call.field_status !== "ok" ? el("p", { class: "dim" }, `the search for values: ${visible(call.field_status)}`) : null,
    );
  }

  #field(field) {
    const [first] = field.weakest === null ? [] : this.heat.alternatives(field.weakest);
    let nearly = null;
    const other = runnerUp(field);
    if (other) nearly = el("span", {}, el("bdi", {}, visible(other[0])), " " + decimal(other[1]));
    else if (first && first[1] >= 0.01) {
      nearly = el("span", {}, el("span", { class: "dim" }, `${quoted(this.call.tokens[field.weakest])} nearly `), el("bdi", {}, quoted(first[0]).slice(1, -1)), " " + decimal(first[1]));
    }
    const value = field.value === null ? "not recorded" : visible(field.value, 120);
    const row = el(
      "tr",
      {},
      el("td", { class: "what" }, field.weakest === null ? el("bdi", {}, value) : this.#link(field.weakest, value)),
      el("td", { class: "path mono" }, visible(toolPath(field.path)) || "the document"),
      el("td", {}, chip(field.confidence)),
      el("td", {}, nearly),
    );
    row.addEventListener("pointerenter", () => this.heat.markField(field));
    row.addEventListener("pointerleave", () => this.heat.markField(null));
    return row;
  }

  #choices() {
    const { choices, output } = this.call;
    const others = output.slice(1);
    if (!choices.length && !others.length) return [];
    const rows = choices.map((choice, index) => {
      const text = choice["logprobs.min.token"];
      const message = output[choice["logprobs.choice.index"] ?? index];
      const said = message ? visible(message.parts.map((part) => part.text).join(" "), 300) : index ? "not recorded" : "drawn above";
      return el(
        "tr",
        {},
        el("td", { class: "number" }, count((choice["logprobs.choice.index"] ?? index) + 1)),
        el("td", {}, chip(choice["logprobs.confidence.score"] ?? null)),
        el("td", {}, text === undefined ? null : el("bdi", {}, quoted(text) + " "), chip(choice["logprobs.min.probability"] ?? null)),
        el("td", { class: message ? null : "dim" }, el("bdi", {}, said)),
      );
    });
    const head = ["choice", "confidence", "weakest token", "answer"].map((word) => el("th", { scope: "col" }, word));
    if (!rows.length) return [el("h3", {}, "Other answers"), ...this.#texts(others)];
    const table = el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows));
    return [el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Choices" }, el("h3", {}, count(rows.length) + " choices; the tokens are those of the first"), table)];
  }

  #timing() {
    const { chunks } = this.call;
    if (!chunks || chunks.starts.length < 2) return null;
    const { starts, offsets_us: times } = chunks;
    const total = Math.max(this.span.duration_us, times.at(-1), 1);
    let gap = 0;
    for (let index = 1; index < times.length; index++) if (times[index] - times[index - 1] > times[gap + 1] - times[gap]) gap = index - 1;
    const words =
      `${count(starts.length)} ${chunks.grouped ? "groups of chunks" : "chunks"} with tokens: the first after ${duration(times[0])}, the last after ` +
      `${duration(times.at(-1))}, the longest pause ${duration(times[gap + 1] - times[gap])} (before token ${count(this.heat.index(starts[gap + 1]))})`;
    const canvas = el("canvas", { class: "times", role: "img", "aria-label": "When the chunks arrived: " + words });
    this.page.draw(canvas, (context, width, height, colour) => {
      context.fillStyle = colour("--strip");
      context.fillRect(0, 0, width, height);
      starts.forEach((start, index) => {
        const end = index + 1 < starts.length ? starts[index + 1] : this.heat.size;
        const lowest = this.heat.probability(this.heat.weakest(start, Math.max(1, end - start)));
        const step = band(lowest);
        context.fillStyle = colour(step === "b0" ? "--bar" : "--" + step);
        context.fillRect((times[index] / total) * (width - 2), step === "b0" ? height / 3 : 0, 2, height);
      });
    });
    return el("div", {}, el("h3", {}, "Arrival"), canvas, el("p", { class: "dim" }, words));
  }

  #tools() {
    const name = `tokens-${this.span.id}`;
    const save = (ending, make) => el("button", { type: "button", onclick: () => download(`${name}.${ending}`, make(this)) }, `Save ${ending.toUpperCase()}`);
    const rows = Object.entries(this.span.attributes).map(([key, value]) => el("tr", {}, el("td", { class: "mono" }, visible(key)), el("td", {}, visible(String(value)))));
    const all = el("details", {}, el("summary", {}, "All numbers on the span"), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All numbers on the span" }, el("table", {}, el("tbody", {}, ...rows))));
    const buttons = this.heat.size ? el("div", { class: "tools" }, save("csv", asCsv), save("json", asJson)) : null;
    return el("div", {}, rows.length ? all : null, buttons);
  }
}

/** The allowed value that came second, where it is another one than the model said. */
function runnerUp(field) {
  return field.runner_up && field.runner_up[1] >= 0.01 && field.runner_up[0] !== field.value ? field.runner_up : null;
}

/** `/tool_calls/0/name/city` as a person would say it. */
function toolPath(path) {
  const match = /^[/]tool_calls[/](\d+)[/]([^/]+)(.*)$/.exec(path);
  return match ? `${match[2]} ${match[3] || "/"}` + (match[1] === "0" ? "" : ` (call ${Number(match[1]) + 1})`) : path;
}
