// What the three pages share: asking the API, making elements. Text is only ever set as text.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export function drawing(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A token or a key stays in this tab.
export function token(set) {
  if (set !== undefined) sessionStorage.setItem("token", set);
  return sessionStorage.getItem("token") || "";
}

export async function ask(method, path, body, headers = {}) {
  const given = { ...headers };
  if (body !== undefined) given["content-type"] = "application/json";
  if (token()) given.authorization = `Bearer ${token()}`;
  const answer = await fetch(path, { method, headers: given, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    const error = new Error(problem.detail || problem.error?.message || `the server said ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  if (answer.status === 204) return null;
  return answer.json();
}

let names = null;
export async function nameOf(id) {
  names ??= ask("GET", "/v1/interests").then((all) => new Map(all.map((leaf) => [leaf.id, leaf.name])));
  return (await names).get(id) || id;
}

export const PLATFORMS = { whatsapp: "WhatsApp", facebook: "Facebook", instagram: "Instagram", messenger: "Messenger" };
export const platform = (name) => PLATFORMS[name] || name;

export function day(text) {
  return new Date(`${text}T12:00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
}

export function source({ platform: app, kind, day: when }) {
  return kind === "chat" ? `a chat with the assistant on ${platform(app)}, ${day(when)}` : `a ${kind} on ${platform(app)}, ${day(when)}`;
}
