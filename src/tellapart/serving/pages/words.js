// What the page says, in the chosen language. In: the settings inside the page. Out: phrases, numbers. Next: server.js

export const settings = JSON.parse(document.getElementById("settings").textContent);

const TAGS = { en: "en", zh: "zh-CN" };
let language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";

/** The language shown, as BCP 47 says it. */
export const tag = () => TAGS[language];

/** A phrase with its {values} filled in; numbers are written as the language does. */
export function t(key, values = {}) {
  const phrase = settings.words[key][language];
  return phrase.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? value.toLocaleString(tag()) : String(value);
  });
}

/** A share in [0, 1] as a percentage. Neither 0 % nor 100 % is said of what only comes near. */
export function percent(share) {
  const space = language === "zh" ? "" : "\u00a0";
  const figure = (100 * share).toFixed(1);
  if (share < 1 && figure === "100.0") return `>${space}99.9${space}%`;
  if (share > 0 && figure === "0.0") return `<${space}0.1${space}%`;
  return `${figure}${space}%`;
}

/** Names in a row. */
export const joined = (names) => names.join(language === "zh" ? "、" : ", ");

/** A date of ISO 8601 as people write it. */
export const date = (iso) => new Date(iso).toLocaleDateString(tag(), { year: "numeric", month: "long", day: "numeric" });

/** The time of day. */
export const clock = (milliseconds) => new Date(milliseconds).toLocaleTimeString(tag(), { hour: "2-digit", minute: "2-digit" });

/** A size in bytes, for people. */
export const size = (bytes) => `${Math.floor(bytes / 1048576).toLocaleString(tag())}\u00a0MB`;

/** A reason of the server's, small: in English at once, and in the chosen language as soon as the server has said it so. */
export function reason(text) {
  const shown = el("p", { class: "soft small", lang: "en" }, text);
  if (language === "zh" && settings.translates) {
    fetch(`page/said?text=${encodeURIComponent(text)}`)
      .then((answer) => answer.json())
      .then(({ said }) => said && said !== text && (shown.textContent = said, shown.lang = tag()))
      .catch(() => {}); // it stays as it is
  }
  return shown;
}

/** Write every phrase of the page again that an element names by data-t or data-t-ATTRIBUTE. */
export function translate() {
  document.documentElement.lang = tag();
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const name of ["aria-label", "placeholder"]) {
    for (const element of document.querySelectorAll(`[data-t-${name}]`)) element.setAttribute(name, t(element.getAttribute(`data-t-${name}`)));
  }
  const other = document.getElementById("language");
  other.textContent = language === "zh" ? "English" : "中文";
  other.lang = language === "zh" ? "en" : "zh-CN";
}

/** The other language from now on, also on the next visit. */
export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  remember("tellapart_language", language);
  translate();
}

/** Light or dark, as chosen or else as the system says. */
export const isDark = () =>
  document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;

/** The other colours from now on. */
export function switchTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  remember("tellapart_theme", document.documentElement.dataset.theme);
}

// A cookie, so that the server can write the page in the right language and colours at once.
function remember(name, value) {
  document.cookie = `${name}=${value}; path=${location.pathname}; max-age=31536000; SameSite=Strict`;
}

/** An element with attributes and children; text is never taken for HTML. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Tell a screen reader. */
export function speak(text) {
  document.getElementById("spoken").textContent = text;
}
