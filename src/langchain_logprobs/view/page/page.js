// The page: which trace is shown, the bar above it, the keys, and the links into it.

const AT_ONCE = 6000; // tokens that are drawn before anything is scrolled

class Page {
  constructor() {
    this.main = document.getElementById("main");
    this.bar = document.getElementById("bar");
    this.inspector = new Inspector(document.getElementById("inspector"));
    this.options = { below: 0.5, fold: false, spaces: false };
    this.keys = true;
    this.calls = [];
    this.trace = null;
    this.at = -1;
    this.drawings = new Map();
    this.resized = new ResizeObserver((entries) => entries.forEach((entry) => this.#paint(entry.target)));
    this.near = new IntersectionObserver((entries) => entries.forEach((entry) => entry.isIntersecting && this.#build(entry.target)), { rootMargin: "1500px" });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.drawings.forEach((_, canvas) => this.#paint(canvas)));
    new ResizeObserver(() => document.documentElement.style.setProperty("--bar-height", this.bar.offsetHeight + "px")).observe(this.bar);
    window.addEventListener("hashchange", () => this.route());
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show what the address's fragment names. */
  route() {
    const match = /^(?:trace-(?<trace>\w+)|span-(?<span>\w+?)(?:-token-(?<token>\d+))?|token-(?<only>\d+))$/.exec(location.hash.slice(1));
    const { trace, span, token, only } = match ? match.groups : {};
    const spanId = span && span.toLowerCase().padStart(16, "0");
    const whole = DATA.traces.filter((each) => each.spans);
    let shown = whole.length === 1 ? whole[0] : null;
    if (trace) shown = whole.find((each) => each.id === trace.toLowerCase().padStart(32, "0")) || shown;
    if (spanId) shown = whole.find((each) => each.spans.some((one) => one.id === spanId)) || shown;
    if (only && !shown) [shown] = whole;
    if (!shown) return this.showList();
    if (this.trace !== shown) this.showTrace(shown);
    if (spanId) this.#goTo(spanId, token === undefined ? null : Number(token));
    else if (only !== undefined && this.calls.length) this.#goTo(this.calls[0].span.id, Number(only));
  }

  showList() {
    this.trace = null;
    this.calls = [];
    this.drawings.clear();
    this.inspector.clear();
    document.body.classList.add("alone");
    document.title = "Token confidence";
    this.bar.replaceChildren(...(DATA.problem ? this.#home() : []), el("h1", {}, "Token confidence"), DATA.problem ? "" : el("span", { class: "dim" }, `${count(DATA.traces.length, "trace")}, the least certain first`));
    if (DATA.problem) this.main.replaceChildren(...DATA.problem.split("\n").map((line) => el("p", { class: "note" }, visible(line, 1000))));
    else if (!DATA.traces.length) this.main.replaceChildren(el("p", {}, "There are no traces here yet. Reload the page when the app has run."));
    else this.main.replaceChildren(drawList(DATA.traces, (trace) => (trace.spans ? "#trace-" + trace.id : "/trace/" + trace.id)));
  }

  showTrace(trace) {
    this.trace = trace;
    this.at = -1;
    this.drawings.forEach((_, canvas) => this.resized.unobserve(canvas));
    this.drawings.clear();
    this.inspector.clear();
    document.title = `Token confidence of trace ${trace.id.slice(0, 8)}`;
    const { element, calls } = drawTrace(trace, this);
    this.calls = calls;
    document.body.classList.toggle("alone", !calls.some((call) => call.heat.size));
    let drawn = 0;
    for (const call of calls) {
      if (drawn < AT_ONCE) call.build();
      else this.near.observe(call.element);
      drawn += call.heat.size;
    }
    const stops = this.#countStops();
    if (stops > 40) {
      this.options.below = 0.2;
      this.refresh();
    }
    this.#drawBar();
    this.main.replaceChildren(element);
    const worst = this.#worst();
    if (worst) this.inspector.show(worst.call.heat, worst.at);
  }

  /** The least certain place: what the panel shows before anything is pointed at. */
  #worst() {
    const places = this.#stops().map((stop) => ({ ...stop, value: stop.call.heat.probability(stop.at) ?? -1 }));
    return places.reduce((least, place) => (!least || place.value < least.value ? place : least), null);
  }

  #stops() {
    return this.calls.flatMap((call) => call.heat.stops.map((stop) => ({ call, at: stop.at })));
  }

  #countStops() {
    return this.calls.reduce((sum, call) => sum + call.heat.findStops(this.options.below).length, 0);
  }

  refresh() {
    for (const call of this.calls) call.refresh();
    this.at = -1;
    this.#say();
  }

  #drawBar() {
    const scale = [["b0", "≥ .9"], ["b1", ".7–.9"], ["b2", ".5–.7"], ["b3", ".2–.5"], ["b4", "< .2"], ["bx", "unknown"]];
    const slider = el("input", { type: "range", id: "below", min: "0.05", max: "0.95", step: "0.05", value: this.options.below, oninput: (event) => this.#slide(event) });
    this.below = el("output", { for: "below", class: "number" }, this.options.below.toFixed(2));
    this.place = el("span", { class: "place number", role: "status" });
    const box = (name, words, key) =>
      el("label", {}, el("input", { type: "checkbox", id: name, checked: this.options[name], onchange: (event) => this.#set(name, event.target.checked) }), words, el("kbd", { "aria-hidden": "true" }, key));
    const only = el("input", { type: "checkbox", onchange: (event) => this.main.classList.toggle("calls-only", event.target.checked) });
    const keys = el("input", { type: "checkbox", checked: true, onchange: (event) => (this.keys = event.target.checked) });
    this.bar.replaceChildren(
      el("div", { class: "group" }, ...this.#home(), el("h1", {}, `Trace ${this.trace.id.slice(0, 8)}`)),
      el("div", { class: "group" }, el("span", { class: "dim" }, "probability"), ...scale.map(([step, words]) => el("span", { class: "chip " + step }, words)), el("span", { class: "dim" }, "↓ not the first choice")),
      el("div", { class: "group stops" }, el("label", {}, el("span", {}, "unsure ", el("span", { class: "words" }, "below")), slider), this.below, this.#button("previous", -1, "p"), this.#button("next", 1, "n"), this.place),
      el("div", { class: "group" }, box("fold", "fold the sure passages", "f"), box("spaces", "show white space", "w"), el("label", {}, only, "only model calls"), el("label", {}, keys, "keys on")),
    );
    this.#say();
  }

  #home() {
    const home = DATA.home || (DATA.traces.length > 1 ? "#" : null);
    return home ? [el("a", { href: home }, "All traces")] : [];
  }

  #button(words, step, key) {
    return el("button", { type: "button", onclick: () => this.step(step), "aria-keyshortcuts": key }, words + " ", el("kbd", { "aria-hidden": "true" }, key));
  }

  #slide(event) {
    this.options.below = Number(event.target.value);
    this.below.textContent = this.options.below.toFixed(2);
    clearTimeout(this.sliding);
    this.sliding = setTimeout(() => this.refresh(), 60);
  }

  #set(name, value) {
    this.options[name] = value;
    document.getElementById(name).checked = value;
    this.refresh();
  }

  #say() {
    const total = this.#stops().length;
    if (this.place) this.place.textContent = total === 0 ? "none" : this.at < 0 ? count(total, "place") : `${this.at + 1} of ${count(total)}`;
  }

  /** Go to the next unsure place, or with -1 to the one before. */
  step(by) {
    const stops = this.#stops();
    if (!stops.length) return;
    this.at = this.at < 0 ? (by > 0 ? 0 : stops.length - 1) : (this.at + by + stops.length) % stops.length;
    const { call, at } = stops[this.at];
    call.build();
    call.heat.focus(at);
  }

  hover(call, position) {
    if (position !== null) this.inspector.show(call.heat, position);
    else if (this.focusedAt) this.inspector.show(...this.focusedAt);
  }

  focused(call, position) {
    this.focusedAt = [call.heat, position];
    this.inspector.show(call.heat, position);
    history.replaceState(null, "", call.fragment(position));
    const place = this.#stops().findIndex((stop) => stop.call === call && stop.at === position);
    if (place >= 0) this.at = place;
    this.#say();
  }

  #goTo(spanId, index) {
    const item = document.getElementById("span-" + spanId);
    if (!item) return;
    for (const other of this.main.querySelectorAll("li.here")) other.classList.remove("here");
    item.classList.add("here");
    const call = this.calls.find((each) => each.span.id === spanId);
    if (call) call.build();
    const position = call && index !== null ? call.heat.position(index) : null;
    if (position !== null && position !== undefined) call.heat.focus(position);
    else item.scrollIntoView({ block: "start" });
  }

  #build(element) {
    const call = this.calls.find((each) => each.element === element);
    if (call) call.build();
    this.near.unobserve(element);
  }

  /** Paint a canvas now and whenever its size or the colour scheme changes. */
  draw(canvas, paint) {
    this.drawings.set(canvas, paint);
    this.resized.observe(canvas);
  }

  #paint(canvas) {
    const paint = this.drawings.get(canvas);
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!paint || !width || !height) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    paint(context, width, height, (name) => style.getPropertyValue(name));
  }

  #key(event) {
    if (!this.keys || !this.trace || event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
    if (event.key === "n") this.step(1);
    else if (event.key === "p") this.step(-1);
    else if (event.key === "f") this.#set("fold", !this.options.fold);
    else if (event.key === "w") this.#set("spaces", !this.options.spaces);
    else return;
    event.preventDefault();
  }
}

new Page().route();
