// What the pages share: asking the API, making elements, saying things. Text is only ever set as text.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return made;
}

export function drawing(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export const at = (id) => document.getElementById(id);

const ICONS = {
  groups: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6m8.5 0a2.5 2.5 0 1 0 0-5 2.500 2.500 0 0 0 0 5M2 19c0-3.300 2.700-6 6-6s6 2.700 6 6zm13.700 0H22c0-3-2.300-5.400-5.300-5.400-.8 0-1.500.200-2.200.500.800 1.400 1.200 3 1.200 4.900",
  posts: "M4 5h16v2H4zm0 5h16v2H4zm0 5h10v2H4z",
  reels: "M6 4l13 8-13 8z",
  ads: "M3 12V4h8l10 10-8 8zm5-5.500A1.500 1.500 0 1 0 8 9.500a1.500 1.500 0 0 0 0-3",
  tick: "M9.200 17.600 3.700 12l1.800-1.800 3.700 3.700 9.300-9.300L20.300 6.400z",
  cross: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20M6 11h12v2H6z",
  back: "M10 5 3 12l7 7v-4.500h4a4 4 0 0 1 0 8V22a7 7 0 0 0 0-12.500h-4z",
};
export function icon(name, size = 20) {
  return drawing("svg", { viewBox: "0 0 24 24", width: size, height: size, fill: "currentColor", "aria-hidden": "true" }, drawing("path", { d: ICONS[name] }));
}

// A token or a key stays in this tab.
export function token(set) {
  if (set !== undefined) sessionStorage.setItem("token", set);
  return sessionStorage.getItem("token") || "";
}

// A request that gets an answer, whatever the answer is.
export const reach = (path, options) => fetch(path, options).catch(() => { throw new Error("the server cannot be reached. Nothing was changed; try again."); });

export async function ask(method, path, body, headers = {}) {
  const given = { ...headers };
  if (body !== undefined) given["content-type"] = "application/json";
  if (token()) given.authorization = `Bearer ${token()}`;
  const answer = await reach(path, { method, headers: given, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    const error = new Error(problem.detail || problem.error?.message || `the server said ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  return answer.status === 204 ? null : answer.json();
}

export const about = () => ask("GET", "/v1/about");
export const person = (account, rest = "") => `/v1/persons/${encodeURIComponent(account)}${rest}`;

let asked = null;
export const topics = () => (asked ??= ask("GET", "/v1/topics"));
let names = null;
export async function nameOf(id) {
  names ??= topics().then((all) => new Map(all.flatMap((group) => group.interests).map((leaf) => [leaf.id, leaf.name])));
  return (await names).get(id) || id;
}

export const PLATFORMS = { whatsapp: "WhatsApp", facebook: "Facebook", instagram: "Instagram", messenger: "Messenger" };
export const platform = (name) => PLATFORMS[name] || name;
const REGIONS = new Intl.DisplayNames("en", { type: "region" });
export const region = (code) => { try { return REGIONS.of(code) || code; } catch { return code; } };

const date = (text, how) => new Date(text.length > 10 ? text : `${text}T12:00:00Z`).toLocaleDateString("en-GB", { day: "numeric", timeZone: "UTC", ...how });
export const day = (text) => date(text, { month: "long", year: "numeric" });
export const shortDay = (text) => date(text, { month: "short" });

const DEEDS = { like: "something you liked", follow: "a page you follow", join: "a group you joined", view: "something you watched" };
export function source({ platform: app, kind, day: when }) {
  return `${kind === "chat" ? "a chat with the assistant" : DEEDS[kind] || `a ${kind}`} on ${platform(app)}, ${day(when)}`;
}

// Why the gate refuses, in words for the person. A code that is not here is told as it is.
export const REFUSALS = {
  before_effective: "it is before the day from which chats count", excluded_region: "chats are left out in this region",
  unknown_region: "it is not known where this account is", no_notice: "this account was not told in time that chats would count",
  under_age: "this account is of a minor, or may be", opted_out: "you said no to the use of chats", not_opted_in: "you have not said yes to the use of chats",
  kill_switch: "chats are switched off everywhere", unknown_platform: "this app takes no part", product_off: "this product takes no part", deleted: "all of this account was deleted",
  encrypted: "end-to-end encrypted messages are never read", people: "what people say to each other is never read",
  language: "it is in a language that cannot be judged with certainty", empty: "there are no words in it", garbled: "it cannot be read", too_long: "it is too long to be judged",
};
export const refusal = (code) => REFUSALS[code] || code.replaceAll("_", " ");

// A line at the foot of the page, perhaps with a way back.
export function toast(text, label, undo) {
  const done = () => at("toast").replaceChildren();
  at("toast").replaceChildren(element("p", {}, text), ...(undo ? [element("button", { type: "button", onclick: () => { done(); undo(); } }, label)] : []),
    element("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: done }, "×"));
  clearTimeout(toast.timer);
  // Long enough to be read, reached and used; what it offers is on the page too.
  toast.timer = setTimeout(() => { if (!at("toast").contains(document.activeElement)) done(); }, 20000);
}

addEventListener("keydown", (event) => { if (event.key === "Escape") at("toast")?.replaceChildren(); });

// Does something, and says so where it fails. Was it done?
export async function tell(work) {
  at("status").textContent = "";
  // What was told of the last thing done is not of this one.
  at("toast").replaceChildren();
  try {
    await work();
    return true;
  } catch (error) {
    at("status").textContent = `That did not work: ${error.message}`;
    return false;
  }
}

// Radio buttons that look like one strip. `chosen(value)` is told of a change.
export function segments(root, name, options, value, chosen) {
  root.replaceChildren(...options.map(([of, text, more]) => element("label", {},
    element("input", { type: "radio", name, value: of, checked: of === value, onchange: () => chosen(of) }), element("span", {}, text), more ? element("small", {}, more) : null)));
}
