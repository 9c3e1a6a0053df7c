// The feed beside the assistant: what is said, what became of it, what changed.
import { at, ask, day, element, icon, nameOf, person, platform, reach, refusal, region, segments, tell, toast } from "./shared.js";
import { APPS, PLACES, STOPS, account, later, linked, move, newChat, noted, now, open, restart, save, whenTaken, world } from "./demo.js";
import { SURFACES, card } from "./card.js";

const PROMPTS = ["What are good hikes near Boulder for a weekend?", "Which hiking boots are worth the money?", "How do I bake sourdough bread?", "Also, my knee hurts on the way down"];
const [HIKES, , , KNEE] = PROMPTS;
const FRIENDS = ["facebook:jude"];
const SHOWN = 4;
const FIRST_FEW = 8;

let turns = [];
let said = [];
let before = null;
// Asked for while another answer is on its way: only the newest is drawn.
let newest = 0;

const looking = () => account(world.looks);
const talking = () => account(world.talks);
const profile = (whose, when) => ask("GET", `${person(whose, "/profile")}?at=${when}`);
const standings = async (whose) => (await ask("GET", `${person(whose, "/standing")}?at=${now()}`)).accounts;

// What a message was used for: what its profile has more of than before.
function gained(earlier, after) {
  const weights = new Map(earlier.interests.map((one) => [one.id, one.weight]));
  return after.interests.filter((one) => one.weight > (weights.get(one.id) || 0) + 1e-9).map((one) => one.id);
}

// Does a profile still hold what a message was used for?
const holds = (held, { used }) => used.some((id) => held.interests.some((interest) => interest.id === id && interest.sources.some((from) => from.kind === "chat")));

// One message after the other, however fast they are typed.
let saying = Promise.resolve();
function say(words) {
  saying = saying.catch(() => {}).then(() => speak(words));
  return saying;
}

async function speak(words) {
  const became = element("div", { class: "became not" }, "…");
  const bubble = element("li", { class: "person" }, element("p", {}, words), became);
  at("chat").append(bubble);
  at("nothing-said").hidden = true;
  try {
    const when = later(turns.length ? 600 : 60);
    const [talks, conversation] = [talking(), `demo-${world.conversation}`];
    const earlier = await profile(talks, when);
    const asked = [...turns, { role: "user", content: words }];
    const answer = await reach("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json", "tactful-account": talks, "tactful-conversation": conversation, "tactful-region": PLACES[world.place][2], "tactful-at": when },
      body: JSON.stringify({ model: "demo", messages: asked.slice(-7) }),
    });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error?.message || "the assistant did not answer");
    const content = told.choices[0].message.content;
    const outcome = answer.headers.get("tactful-outcome");
    const after = await profile(talks, now());
    // A new chat may have been begun meanwhile.
    if (bubble.isConnected) {
      turns = [...asked, { role: "assistant", content }];
      for (const one of said) if (one.conversation === conversation && outcome !== "used" && holds(earlier, one) && !holds(after, one)) one.shutBy = outcome;
      said.push({ became, outcome, talks, conversation, when, few: words.split(/\s+/).length <= 3, used: outcome === "used" ? gained(earlier, after) : [] });
      at("chat").append(element("li", {}, element("p", {}, content)));
    }
  } catch (error) {
    bubble.remove();
    at("nothing-said").hidden = turns.length > 0;
    if (!at("words").value) at("words").value = words;
    throw error;
  }
  await showChange();
  at("spoken").scrollTop = at("spoken").scrollHeight;
}

const ENDS = { used: "tick", not: "cross", back: "back" };
function mark(became, kind, text) {
  if (became.dataset.text === text) return;
  became.dataset.text = text;
  became.className = `became ${kind}`;
  became.replaceChildren(icon(ENDS[kind], 16), element("span", {}, text));
}

// One plain line under each message: what became of it, and whether that still holds.
async function judge() {
  const held = new Map();
  for (const one of said) {
    if (one.outcome !== "used") {
      mark(one.became, "not", one.outcome !== "not_used" ? `Not used: ${refusal(one.outcome)}.` : `Not used. It tells no interest, touches something private, or comes in a chat that is shut; which of these is not kept.${one.few ? " A few more words may help." : ""}`);
      continue;
    }
    if (!held.has(one.talks)) held.set(one.talks, [await profile(one.talks, now()), (await standings(one.talks)).find(({ asked }) => asked)?.chats]);
    const [is, chats] = held.get(one.talks);
    const list = (await Promise.all(one.used.map(nameOf))).join(", ");
    if (holds(is, one)) mark(one.became, "used", `Used for: ${list}`);
    else if (one.shutBy === "not_used") mark(one.became, "back", "Taken back: something private came up in this chat, so none of it is used.");
    else if (one.shutBy) mark(one.became, "back", "Taken back: a message in this chat could not be judged, so none of it is used. New chat starts afresh.");
    else if (one.when > now()) mark(one.became, "back", "Not said yet at the time you chose.");
    else if (chats && chats !== "used") mark(one.became, "back", `Was used for: ${list}. Not used here and now: ${refusal(chats)}.`);
    else mark(one.became, "back", `Was used for: ${list}. No longer.`);
  }
}

async function rule() {
  const held = await standings(talking());
  const standing = held.find((one) => one.asked);
  const [city, country] = PLACES[world.place];
  const here = `${day(world.clock)}, ${city} (${country}).`;
  const on = standing?.chats === "used";
  at("rule").className = `note ${on ? "on" : "off"}`;
  at("rule").textContent = on ? `${here} What you say to the assistant on ${platform(world.talks)} counts.` : `${here} What you say to the assistant on ${platform(world.talks)} does not count: ${standing?.region ? `${refusal(standing.chats)}.` : "all that was held of you is deleted. Start over makes you somebody new."}`;
  at("linked").checked = held.length > 1;
  at("untold").textContent = world.talks === "messenger" ? "No notice was ever sent to this account." : "";
}

// What is different from what was shown before, in words. What stood there already, for other reasons, is not called new.
async function changed(slates) {
  const [was, is] = [before, slates].map((all) => new Map((all || []).flatMap(({ surface, slate }) => slate.map((slot, place) => [slot.item, { ...slot, surface, place }]))));
  const mine = (slot) => slot?.reasons.some((reason) => reason.kind === "interest");
  const title = Object.fromEntries(SURFACES);
  // One line a surface: the first by name, the others by number.
  const lines = (slots) => SURFACES.flatMap(([name]) => {
    const [first, ...more] = slots.filter((slot) => slot.surface === name);
    return first ? [element("li", {}, `${title[name]}: ${first.title}${more.length ? ` and ${more.length} more` : ""}`)] : [];
  });
  const all = [...is.values()].filter(mine);
  const come = all.filter((slot) => !mine(was.get(slot.item)) && slot.place !== was.get(slot.item)?.place);
  const gone = [...was.values()].filter((slot) => mine(slot) && !is.has(slot.item));
  const parts = [];
  if (come.length) {
    const names = new Set(await Promise.all(come.flatMap((slot) => slot.reasons.filter((reason) => reason.kind === "interest").map((reason) => nameOf(reason.id)))));
    parts.push(element("strong", {}, `${before ? "Changed by" : "Here because of"} ${[...names].join(", ")}:`), element("ul", {}, ...lines(come)));
  }
  if (gone.length) parts.push(element("strong", {}, all.length ? "Made room:" : "Nothing is shown because of you any more. Gone:"), element("ul", {}, ...lines(gone)));
  at("change").className = `note change ${come.length ? "on" : ""}`;
  at("change").replaceChildren(...(parts.length ? parts : [all.length ? "Nothing in this feed changed." : "Nothing in this feed is there because of you. It is what anyone here would see."]));
}

// On a phone the feed is below the chat: a way to what changed, when it cannot be seen.
function point() {
  const box = at("change").getBoundingClientRect();
  if (box.top < innerHeight && box.bottom > 0) return;
  toast(at("change").classList.contains("on") ? "The feed changed." : at("change").querySelector("ul") ? "The feed changed back." : "The feed did not change.", "Show me", () => { at("feed").focus({ preventScroll: true }); at("change").scrollIntoView({ block: "center" }); });
}

// Shows what something that was done has changed, here and in other tabs.
async function showChange() {
  await show(true);
  noted();
}

async function show(compare = false) {
  const mine = (newest += 1);
  const when = now();
  const [held, { slates }] = await Promise.all([
    profile(looking(), when),
    ask("POST", "/v1/recommendations", { account: looking(), k: SHOWN, at: when, place: PLACES[world.place][3], friends: FRIENDS }),
    rule(),
    judge(),
  ]);
  if (mine !== newest) return;
  at("interests").replaceChildren(...(held.interests.length
    ? [...await Promise.all(held.interests.slice(0, FIRST_FEW).map(async (one) => element("li", {}, await nameOf(one.id)))),
      held.interests.length > FIRST_FEW && element("li", {}, element("a", { href: "/interests" }, `and ${held.interests.length - FIRST_FEW} more`))].filter(Boolean)
    : [element("li", { class: "badge plain" }, "none")]));
  const places = (name) => new Map((before?.find((one) => one.surface === name)?.slate || []).map((slot, place) => [slot.item, place]));
  const sheets = await Promise.all(SURFACES.map(async ([name, title]) => {
    const was = compare && before ? places(name) : null;
    const { slate } = slates.find((one) => one.surface === name);
    const cards = await Promise.all(slate.map((slot, place) => card(slot, place, name, was, { act, like })));
    if (!cards.length) cards.push(element("li", { class: "soft" }, name === "ads" ? "No advertiser asks for people in this region." : "Nothing here."));
    return element("section", { class: "sheet", "aria-label": title }, element("div", { class: "head" }, element("h2", {}, title)), element("ol", { class: "plain" }, ...cards));
  }));
  if (mine !== newest) return;
  // Two columns that fill on their own, so that one that is opened leaves no hole beside it.
  at("surfaces").replaceChildren(...[0, 1].map((column) => element("div", {}, ...sheets.filter((_, n) => n % 2 === column))));
  if (compare || !before) await changed(slates);
  if (compare) point();
  if (!before && held.interests.length) at("nothing-said").textContent = "This is a new chat; what you said before still counts. Ask anything, or take one of these:";
  before = slates;
  steps();
}

// What a card's buttons do: it is done at once, told at the foot of the page, and can be undone where that makes sense.
async function act(work, text, undo) {
  await tell(async () => {
    await work(later());
    await showChange();
    toast(text, "Undo", undo && (() => act(undo, "Undone.")));
  });
  refocus();
}

// The cards are drawn anew, so what had the focus is gone: it goes to the same button of the same card, or to what changed.
function refocus(same) {
  if (document.activeElement !== document.body) return;
  const again = same && document.querySelector(same);
  (again || at("change")).focus({ preventScroll: Boolean(again) });
}

async function deed(kind, name, what) {
  const { events: [{ outcome }] } = await ask("POST", "/v1/events", [{ type: "activity", at: later(), account: looking(), activity: name, kind, ...what }]);
  return outcome;
}

async function like(slot, kind, on) {
  await tell(async () => {
    if (on) await deed(kind, `on-${slot.item}`, { item: slot.item });
    else await ask("POST", "/v1/events", [{ type: "delete", at: later(), account: looking(), activity: `on-${slot.item}` }]);
    save({ liked: on ? [...world.liked, slot.item] : world.liked.filter((one) => one !== slot.item) });
    await showChange();
  });
  refocus(`[data-item="${CSS.escape(slot.item)}"] button[aria-pressed]`);
}

function chat() {
  newChat();
  [turns, said] = [[], []];
  at("chat").replaceChildren();
  at("nothing-said").hidden = false;
}

async function to(change) {
  const was = { ...world };
  save(change);
  draw();
  try { await move(); } catch (error) {
    save(was);
    draw();
    throw error;
  }
  await showChange();
}

// The scene, step by step; what a step needs is put right first, so that each works on its own.
const TRIES = [
  ["Ask about hikes near Boulder", "A group, a friend's post, a reel and boots come up on Facebook, though you asked on WhatsApp.", async () => {
    chat();
    await to({ clock: STOPS[1][0], place: "boulder", talks: "whatsapp", looks: "facebook" });
    await say(HIKES);
  }],
  ["Ten minutes later, mention your knee", "That is health: the whole chat is forgotten, and so is what it brought.", async () => {
    if (!turns.length) await say(HIKES);
    await say(KNEE);
  }],
  ["Like a hiking page instead", "The feed takes the same shape, without a chat.", async () => {
    await deed("like", "hiking-page", { text: "Hiking trails around Boulder" });
    await showChange();
  }],
  ["Take that like back, ask again, then unlink", "Asked on WhatsApp and not linked, it changes nothing on Facebook.", async () => {
    await ask("POST", "/v1/events", [{ type: "delete", at: later(), account: account("facebook"), activity: "hiking-page" }]);
    chat();
    await to({ clock: STOPS[1][0], place: "boulder", talks: "whatsapp", looks: "facebook" });
    await say(HIKES);
    await linked(false);
    await showChange();
  }],
  ["Link again, and go back to 15 December", "The day before it begins, nothing counts.", async () => { await linked(true); await to({ clock: STOPS[0][0], place: "boulder" }); }],
  ["Be in Berlin on 16 December", "Chats are left out in the European Union. Look at Seoul and London, too.", async () => { await to({ clock: STOPS[1][0], place: "berlin" }); }],
];

function steps() {
  const next = TRIES.findIndex((_, n) => !world.done.includes(n));
  [...at("tries").children].forEach((step, n) => { step.className = world.done.includes(n) ? "done" : n === next ? "next" : ""; });
}

function draw() {
  segments(at("clock"), "clock", STOPS, world.clock, (clock) => tell(() => to({ clock })));
  segments(at("place"), "place", Object.entries(PLACES).map(([id, [city, , code]]) => [id, city, region(code)]), world.place, (place) => tell(() => to({ place })));
  segments(at("talks"), "talks", APPS.map((app) => [app, platform(app)]), world.talks, (talks) => { chat(); save({ talks }); tell(() => show()); });
  segments(at("looks"), "looks", APPS.slice(0, 3).map((app) => [app, platform(app)]), world.looks, (looks) => { before = null; save({ looks }); tell(() => show()); });
}

at("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = at("words").value.trim();
  at("words").value = "";
  if (words) tell(() => say(words));
});
at("words").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); at("say").requestSubmit(); }
});
at("again").addEventListener("click", () => { chat(); at("words").focus(); });
at("linked").addEventListener("change", () => tell(async () => {
  const wanted = at("linked").checked;
  try { await linked(wanted); } catch (error) {
    at("linked").checked = !wanted;
    throw error;
  }
  await showChange();
}));
at("restart").addEventListener("click", () => tell(async () => { await restart(); chat(); before = null; draw(); await show(); toast("You are somebody new, of whom nothing is known."); }));
at("prompts").append(...PROMPTS.map((text) => element("button", { type: "button", onclick: () => tell(() => say(text)) }, text)));
at("tries").append(...TRIES.map(([title, more, work], n) => element("li", {}, element("button", { type: "button", onclick: () => tell(async () => {
  await work();
  save({ done: [...new Set([...world.done, n])] });
  steps();
}) }, element("span", {}, title), element("small", {}, more)))));

whenTaken((same) => tell(async () => {
  if (!same) { chat(); before = null; }
  draw();
  await show(same);
}));
await tell(async () => {
  await open();
  draw();
  await show();
  document.body.dataset.ready = "true";
});
