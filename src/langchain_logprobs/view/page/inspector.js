// The panel beside the text: one token, what else it could have been, and when it came.

class Inspector {
  constructor(element) {
    this.element = element;
    this.shown = null;
  }

  clear() {
    this.shown = null;
    this.element.replaceChildren();
  }

  show(heat, position) {
    if (this.shown && this.shown[0] === heat && this.shown[1] === position) return;
    this.shown = [heat, position];
    const { call } = heat;
    const probability = heat.probability(position);
    const parts = [
      el("h2", { class: "token" }, el("bdi", {}, quoted(call.tokens[position])), " ", chip(probability)),
      el("p", { class: "dim number" }, `token ${count(position + 1)} of ${count(heat.size)}, index ${heat.index(position)}` + this.#arrival(call, position)),
      ...this.#candidates(heat, position, probability),
    ];
    const field = heat.field(position);
    if (field) parts.push(this.#field(field));
    const stretch = call.stretches.find((each) => position >= each.start && position < each.start + each.count);
    if (stretch && stretch.count > 1) {
      const words = `in a stretch of ${count(stretch.count, "token")}` + (stretch.severity ? ", " + visible(stretch.severity) : "");
      parts.push(el("p", { class: "dim" }, words));
    }
    if (position < call.reasoning) parts.push(el("p", { class: "dim" }, "reasoning: in none of the numbers"));
    this.element.replaceChildren(...parts);
  }

  #arrival(call, position) {
    if (!call.chunks) return "";
    let chunk = -1;
    call.chunks.starts.forEach((start, index) => start <= position && (chunk = index));
    return chunk < 0 ? "" : ` · came ${call.chunks.grouped ? "from " : "at "}${duration(call.chunks.offsets_us[chunk])}`;
  }

  #candidates(heat, position, probability) {
    const others = heat.alternatives(position);
    const own = heat.call.tokens[position];
    if (!others.length) {
      const censored = probability === null ? "The provider gave no probability for this token. " : "";
      return [el("p", { class: "dim" }, censored + "What else it could have been is not on the span.")];
    }
    const said = probability === null ? [] : [[own, probability, true]];
    const rows = labelled([...others, ...said]).map(([text, value, chosen]) => ({ text, value, chosen: chosen === true }));
    rows.sort((one, other) => other.value - one.value);
    const body = rows.map(({ text, value, chosen }) => this.#row(text, value, chosen));
    const covered = rows.reduce((sum, row) => sum + row.value, 0);
    return [
      el("table", {}, el("caption", { class: "hidden" }, "What the model could have said here"), el("tbody", {}, ...body)),
      el("p", { class: "dim number" }, `these ${rows.length} cover ${decimal(Math.min(1, covered))} of the probability`),
    ];
  }

  #row(text, value, chosen) {
    const meter = el("span", { class: "meter" });
    meter.style.width = (100 * value).toFixed(1) + "%";
    return el(
      "tr",
      { class: chosen ? "chosen" : null },
      el("td", { class: "what" }, el("bdi", {}, text), chosen ? el("span", { class: "hidden" }, " (said)") : null),
      el("td", {}, meter),
      el("td", { class: "number" }, decimal(value)),
    );
  }

  #field(field) {
    const parts = ["value of ", el("code", {}, visible(field.path) || "the document"), " ", chip(field.confidence)];
    const other = runnerUp(field);
    if (other) parts.push(" nearly ", el("bdi", {}, visible(other[0])), " " + decimal(other[1]));
    return el("p", {}, ...parts);
  }
}
