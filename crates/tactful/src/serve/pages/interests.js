import { ask, drawing, element, nameOf, platform, source, token } from "./shared.js";

const at = (id) => document.getElementById(id);
const DAY = 86400000;
let account = "";

const instant = () => (at("at").value ? `${at("at").value}T23:59:59Z` : new Date().toISOString());
const path = (rest = "") => `/v1/persons/${encodeURIComponent(account)}${rest}`;

async function tell(work) {
  at("status").textContent = "";
  try { await work(); } catch (error) {
    at("status").textContent = error.message;
    if (error.status === 401 || error.status === 403) at("held").hidden = true;
  }
}

// The weight at nine instants over the last eighty days, as a small line.
async function past() {
  const end = Date.parse(instant());
  const days = Array.from({ length: 9 }, (_, n) => new Date(end - (8 - n) * 10 * DAY).toISOString());
  const all = await Promise.all(days.map((when) => ask("GET", `${path("/profile")}?at=${when}`)));
  return (id) => all.map((profile) => profile.interests.find((one) => one.id === id)?.weight || 0);
}

function plot(values, name) {
  const most = Math.max(...values, 0.001);
  const points = values.map((value, n) => `${4 + n * 14},${34 - (28 * value) / most}`).join(" ");
  return drawing("svg", { viewBox: "0 0 120 38", width: "120", height: "38", role: "img", "aria-label": `${name}: from ${values[0].toFixed(2)} eighty days ago to ${values.at(-1).toFixed(2)} now` },
    drawing("polyline", { class: "line", points }));
}

async function show() {
  const profile = await ask("GET", `${path("/profile")}?at=${instant()}`);
  const weights = await past();
  const rows = await Promise.all(profile.interests.map(async (one) => {
    const name = await nameOf(one.id);
    const wish = (text, wish) => element("button", { type: "button", onclick: () => tell(async () => { await ask("POST", path("/preferences"), { interest: one.id, wish, at: instant() }); await show(); }) }, text);
    const conversations = one.sources.filter((from) => from.kind === "chat");
    return element("li", { class: "item", "data-interest": one.id },
      element("h3", {}, name), plot(weights(one.id), name),
      element("p", { class: "soft" }, one.sources.length ? `From ${one.sources.map(source).join("; ")}.` : "You said so."),
      element("div", { class: "acts" }, wish("Less", "less"), wish("More", "more"), wish("Never again", "never"), wish("Undo", "clear"),
        element("button", { type: "button", onclick: () => tell(async () => { await ask("DELETE", `${path(`/interests/${one.id}`)}?at=${instant()}`); await show(); }) }, "Delete"),
        ...conversations.slice(0, 3).map((from) => element("button", { type: "button", onclick: () => tell(async () => { await ask("DELETE", `${path(`/conversations/${from.source}`)}?at=${instant()}`); await show(); }) }, `Forget the chat of ${from.day}`))));
  }));
  at("interests").replaceChildren(...(rows.length ? rows : [element("li", { class: "soft" }, "Nothing is held that could be used now.")]));
  at("linked").replaceChildren(...profile.accounts.map((one) => element("li", {}, platform(one.platform))));
  at("held").hidden = false;
}

const leaves = await ask("GET", "/v1/interests");
at("more").append(...leaves.map(({ id, name }) => element("option", { value: id }, name)));

at("who").addEventListener("submit", (event) => {
  event.preventDefault();
  account = at("account").value.trim();
  if (at("token").value) token(at("token").value);
  tell(show);
});
at("add").addEventListener("submit", (event) => {
  event.preventDefault();
  tell(async () => { await ask("POST", path("/preferences"), { interest: at("more").value, wish: "more", at: instant() }); await show(); });
});
at("advertiser").addEventListener("submit", (event) => {
  event.preventDefault();
  const wish = event.submitter?.dataset.wish || "less";
  tell(async () => {
    await ask("POST", path("/preferences"), { advertiser: at("name").value, wish, at: instant() });
    at("status").textContent = "Noted: it counts from the next ad on.";
  });
});
for (const [id, chats] of [["pause", "out"], ["resume", "in"]]) {
  at(id).addEventListener("click", () => tell(async () => { await ask("POST", path("/choice"), { chats, at: instant() }); await show(); at("status").textContent = chats === "out" ? "Paused." : "Your chats are used again, where the policy allows."; }));
}
at("download").addEventListener("click", () => tell(async () => {
  const archive = JSON.stringify(await ask("GET", path("/export")), null, 1);
  const link = element("a", { href: `data:application/json;charset=utf-8,${encodeURIComponent(archive)}`, download: "tactful-export.json" });
  link.click();
}));
at("delete").addEventListener("click", () => at("sure").showModal());
at("sure").addEventListener("close", () => {
  if (at("sure").returnValue !== "yes") return;
  tell(async () => { const { receipt } = await ask("DELETE", `${path()}?at=${instant()}`); await show(); at("status").textContent = `Deleted. Receipt: ${receipt}`; });
});

const asked = new URLSearchParams(location.hash.slice(1));
if (asked.get("account")) {
  at("account").value = asked.get("account");
  account = asked.get("account");
  // The demo's clock is not the wall's.
  if (account.endsWith(":you") && !asked.get("at")) at("at").value = "2025-12-21";
  await tell(show);
}
document.body.dataset.ready = "true";
