// Text and numbers as the page writes them, and elements: only ever through textContent, so a trace stays text.

const DATA = JSON.parse(document.getElementById("data").textContent);
const LEVEL_BAND = { high: "b0", medium: "b2", low: "b4" };
const LONGEST = 2000; // characters of one token that are drawn
const SIGNS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const THOUSANDS = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const JOINERS = "\u200c\u200d"; // they hold emoji and several scripts together

/** Make an element: `el("p", {class: "x"}, "text", child)`. What begins with "on" is a listener. */
function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A probability with two digits, three where it is small; 1.00 is kept for what is certain. */
function decimal(value) {
  if (value === null || value === undefined) return "unknown";
  if (value > 0 && value < 0.0005) return "<.001";
  let text = value >= 0.01 || value === 0 ? value.toFixed(2) : value.toFixed(3);
  if (text === "1.00" && value < 0.9995) text = value.toFixed(3);
  return text.replace(/^0(?=\.)/, "");
}

/** The step of the scale that a probability is in; null is a token that the provider gave none for. */
function band(probability) {
  if (probability === null || probability === undefined) return "bx";
  return probability >= 0.9 ? "b0" : probability >= 0.7 ? "b1" : probability >= 0.5 ? "b2" : probability >= 0.2 ? "b3" : "b4";
}

function chip(probability, words = decimal(probability)) {
  return el("span", { class: "chip " + band(probability) }, words);
}

function levelChip(level, score) {
  if (!level && score === null) return null;
  const words = [level && visible(level), score === null ? null : decimal(score)].filter(Boolean).join(" ");
  return el("span", { class: "chip " + (LEVEL_BAND[level] || "b0") }, words);
}

/** What stands for a character that is invisible, moves the cursor or reorders text; null for any other. */
function signOf(character) {
  const code = character.codePointAt(0);
  if (character === "\n") return "⏎";
  if (character === "\t") return "⇥";
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "␡";
  if (JOINERS.includes(character)) return null;
  const digits = code.toString(16).toUpperCase().padStart(4, "0");
  return code >= 0xd800 && code <= 0xdfff ? "\\u" + digits.toLowerCase() : "U+" + digits;
}

/** Model output on one line, with nothing in it that could hide or reorder text. */
function visible(text, most = 200) {
  const cut = text.length > most ? text.slice(0, most) : text;
  const safe = cut.replace(SIGNS, (character) => {
    const sign = signOf(character);
    return sign === null ? character : sign.startsWith("U+") ? "<" + sign + ">" : sign;
  });
  return cut === text ? safe : safe + "…";
}

/** A token as it stands in a list: its spaces are shown where there is nothing else. */
function tokenText(text) {
  if (text === null) return "■";
  if (text === "") return "∎";
  const line = visible(text, 60);
  return line.trim() === "" ? line.replaceAll(" ", "␣") : line.startsWith(" ") ? "␣" + line.slice(1) : line;
}

/** Model output in a sentence; the spaces around it are left out. */
function quoted(text) {
  return "“" + tokenText(text === null ? null : text.trim() || text) + "”";
}

/** Texts beside each other, each with its value: a space in front is shown only where it tells two of them apart. */
function labelled(pairs) {
  const mixed = new Set(pairs.map(([text]) => text !== null && text.startsWith(" "))).size > 1;
  return pairs.map(([text, ...values]) => [tokenText(mixed || text === null ? text : text.trim() || text), ...values]);
}

/** Append model output: lines are kept, control characters become signs in a frame. */
function appendText(parent, text, { spaces = false, most = LONGEST } = {}) {
  const cut = text.length > most ? text.slice(0, most) : text;
  let plain = "";
  for (const character of cut) {
    SIGNS.lastIndex = 0;
    if (character === "\n" || (character === "\t" && !spaces)) {
      plain += (spaces ? "⏎" : "") + character;
    } else if (character === " " && spaces) {
      plain += "·\u200b";
    } else if (SIGNS.test(character) && signOf(character) !== null) {
      parent.append(plain, el("span", { class: "sign" }, signOf(character)));
      plain = "";
    } else plain += character;
  }
  parent.append(plain);
  if (cut !== text) parent.append(el("span", { class: "sign" }, `… ${count(text.length - most)} more characters`));
}

function count(value, word = "") {
  return THOUSANDS.format(value) + (word && " " + word + (value === 1 ? "" : "s"));
}

function duration(microseconds) {
  const ms = microseconds / 1000;
  if (ms < 10) return ms.toFixed(1) + " ms";
  return ms < 1000 ? Math.round(ms) + " ms" : ms < 60000 ? (ms / 1000).toFixed(2) + " s" : (ms / 60000).toFixed(1) + " min";
}

function isTyping(target) {
  return target instanceof Element && target.matches("input:not([type=checkbox]):not([type=range]), textarea, select");
}
