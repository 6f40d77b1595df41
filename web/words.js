// The words of the page, in the reader's language: its own ones, and sentences that the server made (jano/sentences.py).
// Node names and tooltips come from locales/.

import en from "./words/en.js";
import ja from "./words/ja.js";
import ko from "./words/ko.js";
import zh from "./words/zh.js";
import zhTW from "./words/zh-TW.js";

const LANGUAGES = { en, ja, ko, zh, "zh-TW": zhTW };
const PLACE = /\{(\w+)(?::([^}]*))?\}/g; // as in Python: {name} or {name:format}
const DIGITS = /^\.(\d)f$/;

/**
 * The words for a locale. Those with places are functions of what belongs there, in the order in which English names
 * it. `speak` says a sentence of the server's, or what it is in English where this language does not know it.
 */
export function wordsFor(locale) {
  const tag = String(locale ?? "");
  const name = [tag, tag.split("-")[0], "en"].find((language) => Object.hasOwn(LANGUAGES, language));
  const { view, sentences } = LANGUAGES[name];
  const numbers = Intl.NumberFormat.supportedLocalesOf(tag.startsWith(name) ? tag : "en").length ? tag : name;
  return { ...made(en.view, view, numbers), speak: (told) => spoken(told, sentences, numbers) };
}

function made(english, words, locale) {
  const entries = Object.entries(english).map(([key, text]) => {
    const word = words[key] ?? text;
    if (typeof text !== "string") return [key, made(text, word, locale)];
    const names = [...text.matchAll(PLACE)].map(([, name]) => name);
    const filled = (...values) => fill(word, Object.fromEntries(names.map((name, at) => [name, values[at]])), locale);
    return [key, names.length ? filled : word];
  });
  return Object.fromEntries(entries);
}

/** Text, a number, or { text, key, values } as `spoken` in jano/sentences.py makes it; its values are the same again. */
function spoken(told, sentences, locale) {
  if (told === null || typeof told !== "object") return String(told ?? "");
  const { text, key, values } = told;
  const word = Object.hasOwn(sentences, key) ? sentences[key] : null;
  const fits = word !== null && [...word.matchAll(PLACE)].every(([, name]) => Object.hasOwn(values, name));
  if (!fits) return text; // of another version
  const parts = Object.entries(values).map(([name, value]) => [name, said(value, sentences, locale)]);
  return fill(word, Object.fromEntries(parts), locale);
}

function said(value, sentences, locale) {
  if (Array.isArray(value)) return value.map((one) => spoken(one, sentences, locale));
  return typeof value === "number" ? value : spoken(value, sentences, locale);
}

/** Values in their places, all at once: what stands in a value is no place. */
function fill(word, values, locale) {
  return word.replace(PLACE, (_, name, format) => formatted(values[name], format, locale));
}

function formatted(value, format = "", locale) {
  if (Array.isArray(value)) return value.join(format);
  if (typeof value !== "number") return String(value);
  const digits = DIGITS.exec(format)?.[1];
  const places = digits === undefined ? {} : { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(locale, places).format(value);
}
