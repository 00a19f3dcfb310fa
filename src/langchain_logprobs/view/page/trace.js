// One trace as a tree of steps, and the list of all traces.

const DEEPEST = 12; // steps below this are drawn no further to the right

/** Draw a trace. @returns the list element and the model calls in it, in order */
function drawTrace(trace, page) {
  const calls = [];
  const items = trace.spans.map((span) => {
    const item = el("li", { id: "span-" + span.id, class: span.call ? "call" : "above" }, step(span, trace));
    item.style.setProperty("--depth", Math.min(span.depth, DEEPEST));
    if (span.error !== null) item.append(el("p", { class: "note error" }, visible(span.error, 2000) || "The step failed; why is not on the span."));
    if (span.call) {
      const call = new Call(span, page);
      calls.push(call);
      item.append(call.element);
    }
    return item;
  });
  return { element: el("ol", { class: "tree", "aria-label": "The steps of the trace" }, ...items), calls };
}

function step(span, trace) {
  const line = el("span", { class: "line", "aria-hidden": "true" }, el("span"));
  const total = Math.max(1, trace.duration_us);
  line.firstChild.style.left = Math.min(99, (100 * span.start_us) / total) + "%";
  line.firstChild.style.width = Math.min(100, (100 * span.duration_us) / total) + "%";
  const name = el("bdi", { class: "name" }, visible(span.name));
  return el(
    "div",
    { class: "step" },
    span.call ? el("h2", {}, name) : name,
    el("span", { class: "dim number" }, duration(span.duration_us)),
    levelChip(span.level, span.score),
    span.calls > 1 ? el("span", { class: "dim" }, `over ${count(span.calls, "model call")}`) : null,
    el("span", { class: "hidden" }, `level ${span.depth + 1}`),
    line,
  );
}

/** The list of traces. @param address makes the address of one */
function drawList(traces, address) {
  const rows = traces.map((trace) =>
    el(
      "tr",
      {},
      el("td", {}, levelChip(trace.level, trace.score) || el("span", { class: "dim" }, "no logprobs")),
      el(
        "td",
        { class: "name" },
        el("a", { href: address(trace) }, el("bdi", {}, visible(trace.name) || "without a name")),
        trace.errors ? el("span", { class: "error" }, ` ${count(trace.errors, "error")}`) : null,
      ),
      el("td", {}, trace.weakest === null ? null : el("bdi", {}, quoted(trace.weakest) + " "), trace.weakest_probability === null ? null : chip(trace.weakest_probability)),
      el("td", { class: "number" }, count(trace.calls, "call")),
      el("td", { class: "number" }, trace.tokens === null ? "" : count(trace.tokens, "token")),
      el("td", { class: "number dim" }, duration(trace.duration_us)),
      el("td", { class: "number dim" }, new Date(trace.start_us / 1000).toLocaleString()),
      el("td", { class: "mono dim" }, trace.id.slice(0, 8)),
    ),
  );
  const head = ["confidence", "trace", "weakest token", "model calls", "tokens", "took", "began", "id"];
  return el(
    "table",
    { class: "traces" },
    el("thead", {}, el("tr", {}, ...head.map((word) => el("th", { scope: "col" }, word)))),
    el("tbody", {}, ...rows),
  );
}
