// The ad-preferences centre: all that is held of a person, and the ways to change it.
import { about, ask, at, day, element, nameOf, person, platform, refusal, region, segments, source, tell, toast, token, topics } from "./shared.js";
import { APPS, account as own, accounts as ours, later, linked, noted, now as demoNow, open, save, whenTaken, world } from "./demo.js";
import { weightPlot } from "./plots.js";

const { demo } = await about();
if (demo) await open();
let account = demo ? own(world.looks) : "";

// In the demo it is as late as in its feed.
const now = () => (demo ? demoNow() : new Date().toISOString());
const next = () => (demo ? later() : new Date().toISOString());
const path = (rest = "") => person(account, rest);

const wish = (what, wish) => ask("POST", path("/preferences"), { ...what, wish, at: next() });

const label = (one) => one?.getAttribute("aria-label") || one?.textContent;

// Of two buttons one is there.
const OTHER = { pause: "resume", resume: "pause" };

// Does it, shows what is held then, and says so; with a way back where there is one.
async function act(work, text, undo) {
  const { id } = document.activeElement;
  const had = label(document.activeElement);
  await tell(async () => {
    await work();
    await show();
    if (demo) noted();
    // The list is drawn anew, so what had the focus is gone: it goes to the same button, or to the list's heading.
    const seen = [...document.querySelectorAll("#held button")].filter((one) => one.offsetParent);
    if (document.activeElement === document.body) (seen.find((one) => label(one) === had || one.id === OTHER[id]) || at("list")).focus();
    toast(text, "Undo", undo && (() => act(undo, "Undone.")));
  });
}
const button = (text, work, done, undo, more = {}) => element("button", { type: "button", onclick: () => act(work, done, undo), ...more }, text);

// In the demo the ids of the linked accounts are known; elsewhere only the account that asked is.
const owner = (app) => (demo ? own(app) : account);

function sources(one) {
  if (!one.sources.length) return element("p", { class: "soft" }, "You told us so.");
  const seen = new Set();
  return element("ul", { class: "sources" }, ...one.sources.filter((from) => !seen.has(from.source) && seen.add(from.source)).map((from) => element("li", {},
    element("span", {}, `From ${source(from)}`),
    from.kind === "chat" ? button("Forget this chat", () => ask("DELETE", `${person(owner(from.platform), `/conversations/${from.source}`)}?at=${next()}`), "That chat is forgotten: all it gave is deleted.", null, { class: "quiet", "aria-label": `Forget this chat on ${platform(from.platform)}, ${day(from.day)}` }) : null)));
}

function strength(weight) {
  return weight >= 1.5 ? "strong" : weight >= 0.4 ? "medium" : "faint";
}

async function interest(one, weights, most) {
  const name = await nameOf(one.id);
  const values = weights.interests[one.id] || weights.instants.map(() => 0);
  const today = values[weights.now];
  const half = values.findIndex((value, n) => n > weights.now && value <= today / 2);
  const fades = half > 0 ? `If nothing is added, it is half as strong by ${day(weights.instants[half])}.` : "It stays until you change it.";
  const label = `${name}, day by day: ${values[0].toFixed(2)} on ${day(weights.instants[0])}, at most ${Math.max(...values).toFixed(2)}, ${today.toFixed(2)} now. ${fades}`;
  const clear = () => wish({ interest: one.id }, "clear");
  const set = (text, which, done) => button(text, () => wish({ interest: one.id }, which), done, clear, { "aria-label": `${text}: ${name}` });
  return element("li", { class: "interest", "data-interest": one.id },
    element("div", {}, element("h3", {}, name, " ", element("span", { class: "badge plain" }, strength(one.weight))), sources(one),
      element("div", { class: "acts" },
        set("Less of this", "less", `You will see less of ${name}.`), set("More of this", "more", `You will see more of ${name}.`), set("Never again", "never", `${name} is not used any more.`),
        button("Delete", () => ask("DELETE", `${path(`/interests/${one.id}`)}?at=${next()}`), `${name} is deleted, with all that it came from.`, null, { class: "stern", "aria-label": `Delete: ${name}` }))),
    element("figure", {}, weightPlot({ ...weights, values, most, days: one.sources.map((from) => from.day), label }), element("figcaption", {}, fades)));
}

const WISHES = { interest: { less: "Less of", more: "More of", never: "Never" }, advertiser: { less: "Fewer ads of", never: "No ads of", more: "More ads of" } };

function stands(one) {
  const good = one.chats === "used";
  return element("li", {}, element("h3", {}, platform(one.platform), one.asked ? element("span", { class: "soft" }, " (you are here)") : ""),
    element("p", { class: "soft" }, one.region ? region(one.region) : "where it is, is not known"),
    element("p", { class: good ? "good" : "bad" }, good ? "✓ Chats with the assistant count." : `✕ Chats do not count: ${refusal(one.chats)}.`),
    one.told ? element("p", { class: "soft" }, `Told on ${day(one.told)}.`) : null);
}

function choice(standing) {
  const here = standing.accounts.find((one) => one.asked);
  const may = here?.choice && here.choice !== "none";
  const asked = here?.choice === "opt-in" && !here.wish;
  const out = here?.wish === "out" || (here?.choice === "opt-in" && here?.wish !== "in");
  at("yours").textContent = may ? "Pause, download, delete" : "Download, delete";
  at("resume").textContent = asked ? "Yes, use my chats" : "Use my chats again";
  at("choice").textContent = may
    ? (asked ? "You have not said yes, so your chats are not used." : out ? "Your chats are paused: none of them is used, nor anything that they taught." : "Your chats are used. You can pause that at any time.")
    : "Where you are, the policy in force leaves no switch for chats as a whole. All else on this page works: delete, less, never, unlink.";
  at("pause").hidden = !may || out;
  at("resume").hidden = !may || !out;
}

// What the list above does not show: what is known of each account, and what may not be used here and now.
async function others() {
  const held = await ask("GET", path("/export"));
  const shown = new Set([...document.querySelectorAll("[data-interest]")].map((one) => one.dataset.interest));
  const idle = [...new Set(held.contributions.map((one) => one.interest))].filter((id) => !shown.has(id));
  const lines = held.accounts.map((one) => {
    const last = (name) => one.facts.filter((fact) => fact[name]).at(-1)?.[name];
    const places = one.facts.filter((fact, n) => fact.region && fact.region !== one.facts[n - 1]?.region).map((fact) => `${region(fact.region)} since ${day(fact.at)}`);
    const born = last("birth_date");
    return `${platform(one.platform)}: ${[born && `born ${day(born)}`, last("language") && `language ${last("language")}`, ...places, ...one.notices.map((notice) => `told on ${day(notice.delivered)}`)].filter(Boolean).join("; ") || "nothing"}.`;
  });
  if (idle.length) lines.push(`Held, but not used here and now: ${(await Promise.all(idle.map(nameOf))).join(", ")}.`);
  if (held.shown.length) lines.push(`What you were shown, so that it does not come too often: ${held.shown.length} times.`);
  at("else").replaceChildren(...lines.map((line) => element("li", {}, line)));
}

async function show() {
  const when = now();
  // Told only to who is known here, so asked for once somebody is.
  if (!at("name").options.length) at("name").append(element("option", { value: "" }, "Choose…"), ...(await ask("GET", "/v1/advertisers")).map((name) => element("option", {}, name)));
  const [profile, weights, standing] = await Promise.all([
    ask("GET", `${path("/profile")}?at=${when}`), ask("GET", `${path("/weights")}?at=${when}&back=75&ahead=75`), ask("GET", `${path("/standing")}?at=${when}`),
  ]);
  const most = Math.max(...Object.values(weights.interests).flat(), 1);
  at("fading").textContent = `An interest is half as strong after ${standing.half_life_days} days and gone after ${standing.retention_days}, unless something new adds to it. A dot is a day that it came from; the broken line is what will be.`;
  const held = await Promise.all(profile.interests.map((one) => interest(one, weights, most)));
  at("interests").replaceChildren(...(held.length ? held : [element("li", { class: "empty" }, standing.accounts.some((one) => one.region || one.told) ? "Nothing is held of you that could be used now." : "Nothing is held of this account.", demo ? " Ask the assistant something in the feed." : "")]));
  at("preferences").replaceChildren(...(await Promise.all(standing.preferences.map(async (one) => {
    const name = one.about === "interest" ? await nameOf(one.id) : one.id;
    return element("li", {}, element("span", {}, `${WISHES[one.about][one.wish]} `, element("strong", {}, name), element("span", { class: "soft" }, ` since ${day(one.day)}`)),
      button("Take back", () => wish({ [one.about]: one.id }, "clear"), `Taken back: ${name} is as before.`, null, { class: "quiet", "aria-label": `Take back: ${WISHES[one.about][one.wish]} ${name}` }));
  }))));
  if (!standing.preferences.length) at("preferences").append(element("li", { class: "soft" }, "Nothing yet."));
  at("linked").replaceChildren(...[...standing.accounts].sort((a, b) => b.asked - a.asked || a.platform.localeCompare(b.platform)).map(stands));
  const together = standing.accounts.length > 1;
  at("linking").replaceChildren(...(demo
    ? [together ? button("Unlink all of them", () => linked(false), "Each account stands alone now.", () => linked(true)) : button("Link my four accounts", () => linked(true), "Your accounts share one list now.", () => linked(false))]
    : together ? [button("Unlink this account", () => ask("DELETE", `/v1/links/${encodeURIComponent(account)}?at=${next()}`), "This account stands alone now.")] : []));
  choice(standing);
  if (demo) at("when").textContent = `In the demo it is ${day(when)}, as in its feed.`;
  at("held").hidden = false;
  if (at("also").open) await others();
}

const see = async () => { if (!(await tell(show))) at("held").hidden = true; };

at("leaf").append(element("option", { value: "" }, "Choose…"), ...(await topics()).map((group) => element("optgroup", { label: group.name }, ...group.interests.map((leaf) => element("option", { value: leaf.id }, leaf.name)))));

for (const [form, field, about] of [["topic", "leaf", "interest"], ["advertiser", "name", "advertiser"]]) {
  at(form).addEventListener("submit", (event) => {
    event.preventDefault();
    const [what, said] = [{ [about]: at(field).value }, event.submitter?.dataset.wish || "less"];
    const name = at(field).selectedOptions[0].textContent;
    act(() => wish(what, said), `${WISHES[about][said]} ${name}, from now on.`, () => wish(what, "clear"));
  });
}
const chats = (which) => ask("POST", path("/choice"), { chats: which, at: next() });
at("pause").addEventListener("click", () => act(() => chats("out"), "Paused: your chats are not used.", () => chats("in")));
at("resume").addEventListener("click", () => act(() => chats("in"), "Your chats are used again.", () => chats("out")));
at("download").addEventListener("click", () => tell(async () => {
  const archive = new Blob([JSON.stringify(await ask("GET", path("/export")), null, 1)], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(archive), download: "tactful-export.json" });
  link.click();
  URL.revokeObjectURL(link.href);
}));
at("also").addEventListener("toggle", () => { if (at("also").open) tell(others); });
at("delete").addEventListener("click", () => at("sure").showModal());
at("sure").addEventListener("close", () => {
  if (at("sure").returnValue !== "yes") return;
  tell(async () => {
    const receipts = [];
    for (const one of demo ? ours() : [account]) receipts.push((await ask("DELETE", `${person(one)}?at=${next()}`)).receipt);
    if (demo) save({ liked: [] });
    await show();
    at("receipt").textContent = `All is deleted. Your receipt${receipts.length > 1 ? "s" : ""}: ${receipts.join(", ")}.${demo ? " In the feed, Start over makes you somebody new." : ""}`;
  });
});
at("who").addEventListener("submit", (event) => {
  event.preventDefault();
  account = at("account").value.trim();
  if (at("token").value) token(at("token").value);
  see();
});

if (demo) {
  at("demo-who").hidden = false;
  at("sure-what").textContent = "All interests, choices and links of your four accounts are gone for good, and so is the record that you were told.";
  segments(at("apps"), "apps", APPS.map((app) => [app, platform(app)]), world.looks, (app) => { account = own(app); if (app !== "messenger") save({ looks: app }); see(); });
  whenTaken(() => { account = own(world.looks); see(); });
  await see();
} else {
  at("who").hidden = false;
  at("to-feed").remove();
  const asked = new URLSearchParams(location.hash.slice(1)).get("account");
  if (asked) {
    at("account").value = account = asked;
    await see();
  }
}
document.body.dataset.ready = "true";
