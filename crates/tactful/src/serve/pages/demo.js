// The demo's own clock, place and person. They are kept in this browser, so that the pages agree on what time it is.
import { about, ask } from "./shared.js";

export const STOPS = [
  ["2025-12-15T18:00:00Z", "15 Dec 2025", "the day before"],
  ["2025-12-16T18:00:00Z", "16 Dec 2025", "it begins"],
  ["2026-01-15T18:00:00Z", "15 Jan 2026", "a month later"],
  ["2026-04-15T18:00:00Z", "15 Apr 2026", "four months later"],
];
export const PLACES = {
  boulder: ["Boulder", "United States", "US", "40.015,-105.271"],
  denver: ["Denver", "United States", "US", "39.739,-104.99"],
  berlin: ["Berlin", "Germany", "DE", "52.52,13.405"],
  london: ["London", "United Kingdom", "GB", "51.507,-0.128"],
  seoul: ["Seoul", "South Korea", "KR", "37.566,126.978"],
};
export const APPS = ["whatsapp", "facebook", "instagram", "messenger"];
const KEY = "tactful-demo";
const FIRST = { person: "you", clock: STOPS[1][0], seconds: 0, place: "boulder", talks: "whatsapp", looks: "facebook", conversation: 0, liked: [], done: [], changes: 0 };

export let world = { ...FIRST };

// Another tab of this browser goes on with the same person: what it keeps is taken up, but for which chat is under way here.
function kept() {
  try { return JSON.parse(localStorage.getItem(KEY)); } catch { return null; /* of another version */ }
}
export function whenTaken(work) {
  addEventListener("storage", ({ key }) => {
    const theirs = key === KEY && kept();
    if (!theirs || theirs.run !== world.run) return;
    const same = theirs.person === world.person;
    world = { ...FIRST, ...theirs, conversation: world.conversation };
    work(same);
  });
}
// Something was done: other tabs look again.
export const noted = () => save({ changes: world.changes + 1 });
const fresh = () => crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
export const newChat = () => save({ conversation: fresh() });

export function save(change = {}) {
  Object.assign(world, change);
  localStorage.setItem(KEY, JSON.stringify(world));
}

const events = (list) => ask("POST", "/v1/events", list);

// Somebody of whom nothing is known, told like anyone else but on Messenger. Under a name that no other browser took,
// so that whoever tries the same demo is somebody else.
async function born() {
  world = { ...FIRST, person: `you-${fresh()}`, run: world.run, conversation: world.conversation };
  const [at, told] = ["2025-01-01T00:00:00Z", "2025-10-07T09:00:00Z"];
  await events([
    ...accounts().map((one) => ({ type: "account", at, account: one, region: "US", language: "en", birth_date: "1990-05-17" })),
    ...APPS.slice(0, 3).map((app) => ({ type: "notice", at: told, account: account(app), notice: "ai-chats", version: "1", channel: "email", delivered: told })),
    { type: "link", at, accounts: accounts() },
  ]);
  // Another tab takes this up, so it is kept once it holds.
  save();
}

// Takes up where this browser left off, unless the server began anew since.
export async function open() {
  const { demo, run } = await about();
  if (!demo) return false;
  const earlier = kept();
  world = earlier?.run === run ? { ...FIRST, ...earlier } : { ...FIRST, run };
  if (world.person === FIRST.person) await born();
  newChat();
  return true;
}

export const account = (app) => `${app}:${world.person}`;
export const accounts = () => APPS.map(account);

// The demo's time. What is done comes after what was done before, so the clock goes on with each thing said.
export const now = () => new Date(Date.parse(world.clock) + 1000 * world.seconds).toISOString().replace(".000", "");
export function later(seconds = 1) {
  const theirs = kept();
  if (theirs?.person === world.person && theirs.clock === world.clock) world.seconds = Math.max(world.seconds, theirs.seconds);
  save({ seconds: world.seconds + seconds });
  return now();
}

// Where the person is from now on. Said at every move in time too, so that what the page shows is what holds.
export const move = () => { const when = later(); return events(accounts().map((one) => ({ type: "account", at: when, account: one, region: PLACES[world.place][2] }))); };

// Somebody else; of who was there before, all is deleted.
export async function restart() {
  const when = later();
  await events(accounts().map((one) => ({ type: "delete", at: when, account: one })));
  await born();
}

export async function linked(together) {
  const when = later();
  if (together) await ask("POST", "/v1/links", { accounts: accounts(), at: when });
  else for (const one of accounts()) await ask("DELETE", `/v1/links/${encodeURIComponent(one)}?at=${when}`);
}
