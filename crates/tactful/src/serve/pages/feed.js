import { ask, day, element, nameOf, platform, source } from "./shared.js";

const at = (id) => document.getElementById(id);
const SURFACES = [["groups", "Groups"], ["posts", "Posts"], ["reels", "Reels"], ["ads", "Ads"]];
const TRIES = ["What are good hikes near Boulder for a weekend?", "Which hiking boots are worth the money?", "also my knee hurts on the way down", "how do I bake sourdough bread?"];
const OUTCOMES = {
  used: "used: see the feed", not_used: "not used", before_effective: "not used: before 16 December 2025",
  excluded_region: "not used: this region is left out", no_notice: "not used: no notice had reached you",
  language: "not used: a language that is not understood", empty: "not used: no words", garbled: "not used: not readable", too_long: "not used: too long",
};
let conversation = 0;
let turns = [];
let ticks = 0;

// The chosen time, a second later with each thing said, so that the order is that of the page.
const now = () => new Date(Date.parse(at("clock").value) + 1000 * ticks++).toISOString().replace(".000", "");
const looking = () => at("looks").value;
const place = () => at("place").value.split("|");

async function tell(work) {
  at("status").textContent = "";
  try { await work(); } catch (error) { at("status").textContent = error.message; }
}

async function move() {
  const [region] = place();
  const when = now();
  await ask("POST", "/v1/events", ["whatsapp:you", "facebook:you", "instagram:you"].map((account) => ({ type: "account", at: when, account, region })));
}

async function say(words) {
  turns.push({ role: "user", content: words });
  const line = element("li", { class: "person" }, words);
  at("chat").append(line);
  const [region] = place();
  const answer = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json", "tactful-account": at("talks").value, "tactful-conversation": `demo-${conversation}`, "tactful-region": region, "tactful-at": now() },
    body: JSON.stringify({ model: "demo", messages: turns.slice(-7) }),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error?.message || "the assistant did not answer");
  const outcome = answer.headers.get("tactful-outcome");
  line.append(element("small", {}, OUTCOMES[outcome] || `not used: ${outcome.replaceAll("_", " ")}`));
  const content = said.choices[0].message.content;
  turns.push({ role: "assistant", content });
  at("chat").append(element("li", {}, content));
  at("chat").scrollTop = at("chat").scrollHeight;
  await show();
}

async function show() {
  const when = now();
  const [, where] = place();
  const [profile, slates] = await Promise.all([
    ask("GET", `/v1/persons/${encodeURIComponent(looking())}/profile?at=${when}`),
    ask("POST", "/v1/recommendations", { account: looking(), k: 5, at: when, place: where, friends: ["facebook:jude", "facebook:sam"] }),
  ]);
  const heaviest = Math.max(0.001, ...profile.interests.map((one) => one.weight));
  const rows = await Promise.all(profile.interests.slice(0, 6).map(async (one) => {
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${Math.round((100 * one.weight) / heaviest)}%`;
    return element("li", {}, element("span", {}, await nameOf(one.id)), bar, element("span", { class: "soft" }, one.sources[0] ? `from ${source(one.sources[0])}` : "you said so"));
  }));
  at("interests").replaceChildren(rows.length ? element("ul", { class: "rows" }, ...rows) : element("p", { class: "soft" }, "Nothing. The feed below is what anyone would see."));
  at("surfaces").replaceChildren(...await Promise.all(SURFACES.map(async ([name, title]) => {
    const { slate } = slates.slates.find((one) => one.surface === name);
    const items = await Promise.all(slate.map(card));
    return element("section", { "aria-label": title }, element("h2", {}, title), element("ol", {}, ...items));
  })));
}

async function card(slot, index) {
  const interests = slot.reasons.filter((reason) => reason.kind === "interest");
  const lines = [];
  for (const reason of slot.reasons) {
    if (reason.kind === "interest") {
      const from = reason.sources.length ? reason.sources.map(source).join("; ") : "you said so";
      lines.push(element("li", {}, `You are into ${await nameOf(reason.id)}: ${from}.`));
    } else if (reason.kind === "near") lines.push(element("li", {}, `It is ${reason.kilometres} km away.`));
    else if (reason.kind === "friend") lines.push(element("li", {}, "A friend of yours made it."));
    else if (reason.kind === "fresh" && reason.points) lines.push(element("li", {}, "It is new."));
    else if (reason.kind === "quality" && reason.points) lines.push(element("li", {}, "People find it good."));
  }
  const without = interests.length ? (slot.rank_without ? `Without what you said it would be in place ${slot.rank_without}.` : "Without what you said it would not be here.") : "Nothing that you said brought it here.";
  const acts = [];
  for (const { id } of interests.slice(0, 1)) {
    const name = await nameOf(id);
    const wish = (text, wish) => element("button", { type: "button", onclick: () => tell(async () => { await ask("POST", `/v1/persons/${encodeURIComponent(looking())}/preferences`, { interest: id, wish, at: now() }); await show(); }) }, text);
    acts.push(wish(`Less ${name}`, "less"), wish(`Never ${name}`, "never"),
      element("button", { type: "button", onclick: () => tell(async () => { await ask("DELETE", `/v1/persons/${encodeURIComponent(looking())}/interests/${id}?at=${now()}`); await show(); }) }, "Remove what brought it"));
  }
  return element("li", { class: interests.length ? "item because" : "item", "data-item": slot.item },
    element("h3", {}, slot.title),
    slot.price === undefined ? null : element("p", { class: "soft" }, "Sponsored"),
    element("details", {}, element("summary", {}, "Why am I seeing this?"), element("ul", {}, ...lines), element("p", { class: "soft" }, without), element("div", { class: "acts" }, ...acts)));
}

at("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = at("words").value.trim();
  if (!words) return;
  at("words").value = "";
  tell(() => say(words));
});
at("words").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); at("say").requestSubmit(); }
});
at("again").addEventListener("click", () => { conversation += 1; turns = []; at("chat").replaceChildren(); at("words").focus(); });
at("place").addEventListener("change", () => tell(async () => { await move(); await show(); }));
at("clock").addEventListener("change", () => tell(show));
at("looks").addEventListener("change", () => tell(show));
at("linked").addEventListener("change", () => tell(async () => {
  if (at("linked").checked) await ask("POST", "/v1/links", { accounts: ["whatsapp:you", "facebook:you", "instagram:you"], at: now() });
  else for (const account of ["whatsapp:you", "facebook:you", "instagram:you"]) await ask("DELETE", `/v1/links/${account}?at=${now()}`);
  await show();
}));
at("tries").append(...TRIES.map((text) => element("button", { type: "button", class: "plain", onclick: () => tell(() => say(text)) }, text)));
tell(async () => {
  at("linked").checked = (await ask("GET", `/v1/persons/facebook:you/profile?at=${now()}`)).accounts.length > 1;
  await show();
  document.body.dataset.ready = "true";
});
