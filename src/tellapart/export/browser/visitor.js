// The visitor's language and colours, before anything is written. In: what an earlier visit kept, the browser's own. Next: page.js

const kept = (name) => new RegExp(`tellapart_${name}=(\\w+)`).exec(document.cookie)?.[1];
const simplified = /^zh(-(cn|sg|hans.*))?$/i.test(navigator.language);

document.documentElement.lang = (kept("language") ?? (simplified ? "zh" : "en")) === "zh" ? "zh-CN" : "en";
if (["light", "dark"].includes(kept("theme"))) document.documentElement.dataset.theme = kept("theme");
