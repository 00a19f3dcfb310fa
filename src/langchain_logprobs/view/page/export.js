// Saving the tokens of a call: made here, from what the page holds.

function tokenRows({ heat, call }) {
  return call.logprobs.map((logprob, position) => ({
    index: heat.index(position),
    token: call.tokens[position],
    logprob,
    probability: heat.probability(position),
    reasoning: position < call.reasoning,
    alternatives: heat.alternatives(position).map(([token, probability]) => ({ token, probability })),
  }));
}

function asJson(shown) {
  const { span, call } = shown;
  const { tokens, logprobs, alternatives, starts, ...rest } = call;
  return JSON.stringify({ span_id: span.id, name: span.name, attributes: span.attributes, ...rest, tokens: tokenRows(shown) }, null, 1);
}

/** Text is written as JSON strings: white space stays visible, and no spreadsheet takes a token for a formula. */
function asCsv(shown) {
  const quoted = (value) => '"' + JSON.stringify(value).replaceAll('"', '""') + '"';
  const lines = tokenRows(shown).map((row) =>
    [row.index, quoted(row.token), row.logprob ?? "", row.probability ?? "", row.reasoning, quoted(row.alternatives)].join(","),
  );
  return ["index,token,logprob,probability,reasoning,alternatives", ...lines, ""].join("\r\n");
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
