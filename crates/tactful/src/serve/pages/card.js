// One card of the feed: what it is, why it is here, where it would be otherwise, and the ways to change that.
import { ask, element, icon, nameOf, person, platform, source } from "./shared.js";
import { account, world } from "./demo.js";

export const SURFACES = [["groups", "Groups"], ["posts", "Posts"], ["reels", "Reels"], ["ads", "Ads"]];
const DEEDS = { groups: ["join", "Join", "Joined"], posts: ["like", "Like", "Liked"], reels: ["like", "Like", "Liked"] };

function by(slot, surface) {
  if (surface === "ads") return `Sponsored · ${slot.advertiser}`;
  const near = slot.reasons.find((reason) => reason.kind === "near");
  const author = slot.author?.split(":").pop();
  const name = author && author[0].toUpperCase() + author.slice(1);
  const friend = slot.reasons.some((reason) => reason.kind === "friend");
  return [name && (friend ? `${name}, a friend of yours` : name), near && (near.kilometres < 2 ? "near you" : `${near.kilometres.toLocaleString("en")} km away`)].filter(Boolean).join(" · ");
}

function moved(slot, place, was) {
  if (!was) return null;
  const earlier = was.get(slot.item);
  if (earlier === undefined) return "New";
  return earlier > place ? `Up from ${earlier + 1}` : null;
}

// What is behind less than this share of a score is not worth a line.
const TELLING = 0.02;

async function reasons(slot) {
  const lines = [];
  const all = slot.reasons.reduce((sum, reason) => sum + reason.points, 0);
  const tells = (reason) => reason.points > TELLING * all;
  for (const reason of slot.reasons) {
    if (reason.kind === "interest") {
      const name = await nameOf(reason.id);
      if (!reason.sources.length) lines.push(`You told us that you are interested in ${name}.`);
      for (const from of reason.sources.slice(0, 4)) lines.push(`Your interest in ${name}, from ${source(from)}.`);
      if (reason.sources.length > 4) lines.push(`And ${reason.sources.length - 4} more like these.`);
    } else if (reason.kind === "near") lines.push(`It is ${reason.kilometres < 2 ? "where you are" : `${reason.kilometres.toLocaleString("en")} km from you`}. The place comes with each request and is not kept.`);
    else if (reason.kind === "friend") lines.push("A friend of yours made it.");
    else if (reason.kind === "fresh" && tells(reason)) lines.push("It is new.");
    else if (reason.kind === "quality" && tells(reason)) lines.push("People find it good.");
  }
  return lines;
}

// Without these interests: the rank it would have had, as the ranking itself says.
function counterfactual(slot, place, names) {
  if (!names.length) return "Nothing that you said or did brought it here.";
  const without = `Without ${names.join(" and ")}`;
  if (!slot.rank_without) return `It is number ${place + 1}. ${without} it would not be among the first 200.`;
  if (slot.rank_without === place + 1) return `It is number ${place + 1}, and would be without ${names.join(" and ")}, too.`;
  return `It is number ${place + 1}. ${without} it would be number ${slot.rank_without}.`;
}

async function controls(slot, act) {
  const owner = account(world.looks);
  const prefer = (about, wish) => (at) => ask("POST", person(owner, "/preferences"), { ...about, wish, at });
  const button = (text, work, done, undo) => element("button", { type: "button", onclick: () => act(work, done, undo) }, text);
  const made = [];
  const interest = slot.reasons.find((reason) => reason.kind === "interest");
  if (interest) {
    const [id, name] = [interest.id, await nameOf(interest.id)];
    const clear = prefer({ interest: id }, "clear");
    made.push(
      button(`Less of ${name}`, prefer({ interest: id }, "less"), `You will see less of ${name}.`, clear),
      button(`Never ${name}`, prefer({ interest: id }, "never"), `${name} is not used any more.`, clear),
      button(`Remove ${name}`, (at) => ask("DELETE", `${person(owner, `/interests/${id}`)}?at=${at}`), `What brought ${name} is deleted.`));
    const chats = new Map(interest.sources.filter((from) => from.kind === "chat").map((from) => [from.source, from]));
    for (const from of [...chats.values()].slice(0, 2)) {
      made.push(button(`Forget the chat on ${platform(from.platform)}`, (at) => ask("DELETE", `${person(account(from.platform), `/conversations/${from.source}`)}?at=${at}`), "That chat is forgotten: all it gave is deleted."));
    }
  }
  if (slot.advertiser) {
    const about = { advertiser: slot.advertiser };
    made.push(
      button(`Fewer ads of ${slot.advertiser}`, prefer(about, "less"), `You will see fewer ads of ${slot.advertiser}.`, prefer(about, "clear")),
      button(`No ads of ${slot.advertiser}`, prefer(about, "never"), `You will see no ads of ${slot.advertiser}.`, prefer(about, "clear")));
  }
  return made;
}

export async function card(slot, place, surface, was, { act, like }) {
  const interests = slot.reasons.filter((reason) => reason.kind === "interest");
  const names = await Promise.all(interests.map((reason) => nameOf(reason.id)));
  const news = moved(slot, place, was);
  const acts = await controls(slot, act);
  const [kind, todo, done] = DEEDS[surface] || [];
  const on = world.liked.includes(slot.item);
  const line = by(slot, surface);
  return element("li", { class: `card${names.length ? " because" : ""}${news && names.length ? " fresh" : ""}`, "data-item": slot.item },
    element("span", { class: `tile ${surface}` }, icon(surface)),
    element("div", {},
      element("div", { class: "top" }, element("h3", {}, slot.title), news ? element("span", { class: `badge${names.length ? "" : " plain"}` }, news) : null),
      line ? element("p", { class: "soft" }, line) : null,
      names.length ? element("p", { class: "why" }, "Because of ", element("strong", {}, names.join(", "))) : null),
    element("div", { class: "row" },
      kind ? element("button", { type: "button", "aria-pressed": String(on), "aria-label": `${on ? done : todo}: ${slot.title}`, onclick: () => like(slot, kind, !on) }, on ? done : todo) : null,
      element("details", {}, element("summary", { "aria-label": `Why am I seeing this? ${slot.title}` }, "Why am I seeing this?"),
        element("ul", { class: "reasons" }, ...(await reasons(slot)).map((text) => element("li", {}, text))),
        element("p", { class: "counter" }, counterfactual(slot, place, names)),
        acts.length ? element("div", { class: "acts" }, ...acts) : null)));
}
