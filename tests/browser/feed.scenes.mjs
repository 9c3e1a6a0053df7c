// The seed's scenes on the feed, played by clicking.
import assert from "node:assert/strict";

const HIKES = "What are good hikes near Boulder for a weekend?";
const KNEE = "Also, my knee hurts on the way down";

// What a person does on the feed, and what they see.
export function feed({ page, ready }) {
  const radio = (group, name) => page.locator(`#${group}`).getByRole("radio", { name }).check();
  const settled = () => page.waitForFunction(() => !document.querySelector(".became")?.textContent?.startsWith("…"));
  const shown = (surface, because = "") => page.locator(`section[aria-label="${surface}"] .card${because} h3`).allTextContents();
  return {
    radio, shown,
    // A person of whom nothing is known.
    anew: async () => {
      await ready("/feed");
      await page.getByRole("button", { name: "Start over" }).click();
      await page.getByText("You are somebody new").waitFor();
    },
    prompt: async (words) => {
      const count = await page.locator("#chat li.person").count();
      await page.locator("#prompts").getByRole("button", { name: words }).click();
      await page.locator("#chat li.person").nth(count).locator(".became svg").waitFor();
      await settled();
    },
    became: (n = -1) => page.locator("#chat li.person").nth(n).locator(".became"),
    because: () => page.locator(".card.because h3").allTextContents(),
    // Waits until the feed is as it should be; says what it is when it never gets there.
    until: async (wanted, what) => {
      const now = async () => (await page.locator(".card.because").count()) > 0;
      for (let n = 0; n < 200 && (await now()) !== wanted; n += 1) await page.waitForTimeout(50);
      assert.equal(await now(), wanted, what);
    },
    card: (title) => page.locator(".card", { has: page.getByRole("heading", { name: title, exact: true }) }),
    why: async (card) => { await card.locator("summary").click(); await card.locator(".counter").waitFor(); },
  };
}

async function opened(stage) {
  const { page, ready, shot, accessible, size } = stage;
  const on = feed(stage);
  await on.anew();
  await ready("/");
  assert.match(page.url(), /\/feed$/);
  assert.match(await page.locator("#rule").textContent(), /16 December 2025, Boulder .* counts\./);
  assert.deepEqual(await on.because(), []);
  await accessible("feed");
  await shot("feed-1-before");
  // One click on what stands there.
  await on.prompt(HIKES);
  assert.equal(await on.became().textContent(), "Used for: Hiking and trails");
  await on.until(true, "hiking on the feed");
  const groups = await on.shown("Groups");
  assert.equal(groups[0], "Boulder Hiking Club");
  assert.ok(groups.indexOf("Denver Hiking Club") > 0, groups.join(", "));
  assert.ok((await on.shown("Posts", ".because")).includes("The new trail behind Boulder, with photos of the ridge"));
  await on.card("The new trail behind Boulder, with photos of the ridge").getByText("Jude, a friend of yours").waitFor();
  assert.ok((await on.shown("Reels", ".because")).some((title) => /trail/i.test(title)), "a reel of trails");
  assert.ok((await on.shown("Ads", ".because")).some((title) => /boots/i.test(title)), "an ad for boots");
  assert.match(await page.locator("#change").textContent(), /Changed by Hiking and trails:.*Groups: Boulder Hiking Club/);
  const club = on.card("Boulder Hiking Club");
  await on.why(club);
  await club.getByText("from a chat with the assistant on WhatsApp, 16 December 2025").waitFor();
  assert.match(await club.locator(".counter").textContent(), /It is number 1\. Without Hiking and trails it would (be number \d+|not be among the first 200)\./);
  await accessible("feed with reasons");
  await shot("feed-2-hiking");
  if (size === "desktop") {
    await page.emulateMedia({ colorScheme: "dark" });
    await shot("feed-2-hiking-dark");
  }
}

async function notLinked(stage) {
  const { page } = stage;
  const on = feed(stage);
  await on.anew();
  await page.getByRole("switch", { name: "Your accounts are linked" }).uncheck();
  await on.prompt(HIKES);
  assert.equal(await on.became().textContent(), "Used for: Hiking and trails");
  await on.until(false, "asked on WhatsApp, not linked: nothing on Facebook");
  // Where it was said, it counts; and once linked, it counts here too.
  await on.radio("looks", "WhatsApp");
  await on.until(true, "on WhatsApp itself");
  await on.radio("looks", "Facebook");
  await on.until(false, "on Facebook");
  await page.getByRole("switch", { name: "Your accounts are linked" }).check();
  await on.until(true, "linked");
}

async function elsewhere(stage) {
  const { page, shot } = stage;
  const on = feed(stage);
  await on.anew();
  for (const city of ["Berlin", "London", "Seoul"]) {
    await on.radio("place", city);
    await page.locator("#rule", { hasText: `${city} (` }).waitFor();
    assert.match(await page.locator("#rule").textContent(), /does not count: chats are left out in this region\./);
    await on.prompt(HIKES);
    assert.equal(await on.became().textContent(), "Not used: chats are left out in this region.");
    await on.until(false, city);
  }
  // What was learned in Boulder is not used in Berlin either, and is there again at home.
  await on.radio("place", "Boulder");
  await page.locator("#rule.on").waitFor();
  await on.prompt(HIKES);
  await on.until(true, "Boulder");
  // Small talk is not what took it away.
  await page.fill("#words", "ok thanks");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#chat li.person").nth(4).locator(".became svg").waitFor();
  await on.radio("place", "Berlin");
  await on.until(false, "moved to Berlin");
  assert.equal(await on.became(3).textContent(), "Was used for: Hiking and trails. Not used here and now: chats are left out in this region.");
  await shot("feed-3-berlin");
  await on.radio("place", "Boulder");
  await on.until(true, "back in Boulder");
}

async function tooEarly(stage) {
  const { page } = stage;
  const on = feed(stage);
  await on.anew();
  await on.radio("clock", /15 Dec 2025/);
  await page.locator("#rule.off").waitFor();
  await on.prompt(HIKES);
  assert.equal(await on.became().textContent(), "Not used: it is before the day from which chats count.");
  await on.until(false, "15 December");
  // What was said too early is not used later either.
  await on.radio("clock", /16 Dec 2025/);
  await page.locator("#rule.on").waitFor();
  await on.until(false, "said on 15 December, seen on 16 December");
  // Never told: nothing, whatever the day.
  await on.radio("talks", "Messenger");
  await page.locator("#rule.off").waitFor();
  await on.prompt(HIKES);
  assert.equal(await on.became().textContent(), "Not used: this account was not told in time that chats would count.");
  await on.until(false, "no notice");
}

async function knee(stage) {
  const { page, shot } = stage;
  const on = feed(stage);
  await on.anew();
  await on.prompt(HIKES);
  await on.until(true, "hiking");
  await on.prompt(KNEE);
  assert.match(await on.became().textContent(), /^Not used\./);
  assert.match(await on.became(0).textContent(), /^Taken back: something private came up in this chat/);
  await on.until(false, "the knee took all of it back");
  assert.equal(await page.locator("#interests").textContent(), "none");
  await shot("feed-4-knee");
  // And that conversation stays shut; a new one counts.
  await page.fill("#words", "What are good hikes near Boulder?");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#chat li.person").nth(2).locator(".became svg").waitFor();
  await on.until(false, "a shut conversation gives nothing");
  await page.getByRole("button", { name: "New chat" }).click();
  await on.prompt(HIKES);
  await on.until(true, "a new conversation");
}

async function liked(stage) {
  const { page } = stage;
  const on = feed(stage);
  await on.anew();
  await on.prompt(HIKES);
  await on.until(true, "asked");
  const asked = (await on.because()).sort();
  await on.prompt(KNEE);
  await on.until(false, "taken back");
  await page.getByRole("button", { name: /Like a hiking page instead/ }).click();
  await on.until(true, "liked");
  const likes = (await on.because()).sort();
  for (const title of ["Boulder Hiking Club", "The new trail behind Boulder, with photos of the ridge"]) assert.ok(likes.includes(title), likes.join(", "));
  assert.deepEqual(likes, asked, "the same shape");
  const club = on.card("Boulder Hiking Club");
  await on.why(club);
  await club.getByText("from something you liked on Facebook, 16 December 2025").waitFor();
  // Likes counted before there were chats, and count in Berlin still.
  await on.radio("place", "Berlin");
  await page.locator("#rule.off").waitFor();
  await on.until(true, "a like, in Berlin");
}

async function corrections(stage) {
  const { page, shot } = stage;
  const on = feed(stage);
  await on.anew();
  await on.prompt(HIKES);
  await on.until(true, "hiking");
  const press = async (title, name) => {
    const card = on.card(title);
    await on.why(card);
    await card.getByRole("button", { name, exact: true }).click();
  };
  const counter = async () => { const card = on.card("Boulder Hiking Club"); await on.why(card); const text = await card.locator(".reasons").textContent(); await card.locator("summary").click(); return text; };
  assert.match(await counter(), /Hiking and trails/);
  await press("Boulder Hiking Club", "Never Hiking and trails");
  await on.until(false, "never");
  await page.getByRole("button", { name: "Undo" }).click();
  await on.until(true, "undone");
  const [boots] = (await on.shown("Ads", ".because")).filter((title) => /boots/i.test(title));
  await press(boots, "No ads of Northpeak");
  await page.getByText("You will see no ads of Northpeak.").waitFor();
  assert.ok(!(await on.shown("Ads")).includes(boots), "no ads of Northpeak");
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByText("Undone.").waitFor();
  assert.ok((await on.shown("Ads")).includes(boots), "ads of Northpeak again");
  await press("Boulder Hiking Club", "Forget the chat on WhatsApp");
  await on.until(false, "the chat is forgotten");
  await page.getByRole("button", { name: "New chat" }).click();
  await on.prompt(HIKES);
  await on.until(true, "said again");
  await press("Boulder Hiking Club", "Remove Hiking and trails");
  await on.until(false, "removed");
  await shot("feed-5-taken-back");
  // A like on a card, and back.
  const first = page.locator('section[aria-label="Groups"] .card').first();
  await first.getByRole("button", { name: /^Join/ }).click();
  await on.until(true, "joined a group");
  await page.getByRole("button", { name: /^Joined/ }).first().click();
  await on.until(false, "left it");
}

async function tour(stage) {
  const { page, shot } = stage;
  const on = feed(stage);
  await on.anew();
  const expected = [true, false, true, false, false, false];
  for (const [n, because] of expected.entries()) {
    await page.locator("#tries button").nth(n).click();
    await page.locator("#tries li").nth(n).and(page.locator(".done")).waitFor();
    await on.until(because, `step ${n + 1} of the tour`);
  }
  await shot("feed-6-tour");
}

// The server is away: nothing is lost, and nothing is said that is not so.
async function away(stage) {
  const { page } = stage;
  const on = feed(stage);
  await on.anew();
  await page.context().setOffline(true);
  await page.fill("#words", HIKES);
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#status", { hasText: "the server cannot be reached. Nothing was changed" }).waitFor();
  assert.equal(await page.inputValue("#words"), HIKES, "the words are there again");
  assert.equal(await page.locator("#chat li").count(), 0);
  await page.locator("#place").getByRole("radio", { name: /Berlin/ }).click();
  await page.locator("#status", { hasText: "cannot be reached" }).waitFor();
  await page.waitForFunction(() => document.querySelector("#place input:checked").value === "boulder");
  await page.context().setOffline(false);
  // Two at once: one after the other.
  await page.getByRole("button", { name: "Send" }).click();
  await page.fill("#words", "How do I bake sourdough bread?");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#chat li.person").nth(1).locator(".became svg").waitFor();
  assert.equal(await on.became(0).textContent(), "Used for: Hiking and trails");
  assert.match(await on.became(1).textContent(), /^Used for: .*[Bb]read/);
  const roles = await page.locator("#chat li").evaluateAll((all) => all.map((one) => one.className));
  assert.deepEqual(roles, ["person", "", "person", ""]);
}

// Two tabs of one person: what is said in one is seen in the other, and a new person is new in both.
async function twoTabs(stage) {
  const { page, url } = stage;
  const on = feed(stage);
  await on.anew();
  const other = await page.context().newPage();
  await other.goto(`${url}/feed`);
  await other.locator("body[data-ready]").waitFor();
  await on.prompt(HIKES);
  await other.locator(".card.because").first().waitFor();
  await other.getByRole("button", { name: "How do I bake sourdough bread?" }).click();
  await other.locator("#chat li.person .became svg").waitFor();
  await page.locator("#interests", { hasText: /[Bb]read/ }).waitFor();
  assert.equal(await page.locator("#interests").getByText("Hiking and trails").count(), 1);
  await other.getByRole("button", { name: "Start over" }).click();
  await on.until(false, "somebody new, in both");
  await other.close();
}

// Everything without a mouse, and names with markup in them as what they are.
async function keyboard(stage) {
  const { page, url } = stage;
  const on = feed(stage);
  const title = '<img src="/x" onerror="document.title=1"><b>Boulder Hiking Trails</b>';
  const item = { id: "group-markup", kind: "group", title, text: "Day hikes and hiking trails around Boulder. Our day hike to the waterfall, trail notes inside.", language: "en", place: { lat: 40.015, lon: -105.271 }, quality: 1, created: "2025-12-01T09:00:00Z" };
  const put = (one) => fetch(`${url}/v1/items`, { method: "POST", headers: { "content-type": "application/x-ndjson" }, body: JSON.stringify(one) });
  assert.ok((await put(item)).ok);
  await on.anew();
  await page.focus("#words");
  await page.keyboard.type("What are good hikes near Boulder?");
  await page.keyboard.press("Enter");
  await on.until(true, "by the keyboard");
  const groups = await on.shown("Groups");
  assert.ok(groups.includes(title), `markup is shown as text, in ${groups.join(", ")}`);
  assert.equal(await page.locator("main img").count(), 0);
  await on.card("Boulder Hiking Club").locator("summary").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Never Hiking and trails");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid", "what has the focus is seen");
  await page.keyboard.press("Enter");
  await on.until(false, "never, by the keyboard");
  await page.waitForFunction(() => document.activeElement.id === "change");
  await page.locator("#place").getByRole("radio", { name: /Boulder/ }).focus();
  await page.keyboard.press("ArrowRight");
  await page.locator("#rule", { hasText: "Denver" }).waitFor();
  // Out of the way of the scenes to come.
  assert.ok((await put({ ...item, title: "Elsewhere", regions: ["NZ"] })).ok);
}

export const scenes = { "opened and asked": opened, "not linked": notLinked, elsewhere, "too early, or never told": tooEarly, knee, "liked instead": liked, corrections, tour, away, "two tabs": twoTabs, "keyboard and markup": keyboard };
