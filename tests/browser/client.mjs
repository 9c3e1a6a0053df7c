// The official client, against the demo's assistant: whole and streamed.
import assert from "node:assert/strict";
import OpenAI from "openai";

export async function client(url) {
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", defaultHeaders: { "Tactful-Account": "whatsapp:you", "Tactful-At": "2025-12-20T18:00:00Z" } });
  const messages = [{ role: "user", content: "What are good hikes near Boulder?" }];
  const whole = await openai.chat.completions.create({ model: "demo", messages });
  assert.match(whole.choices[0].message.content, /demo/);
  let streamed = "";
  for await (const part of await openai.chat.completions.create({ model: "demo", messages, stream: true })) streamed += part.choices[0]?.delta?.content || "";
  assert.equal(streamed, whole.choices[0].message.content);
  const profile = await (await fetch(`${url}/v1/persons/whatsapp:you/profile?at=2025-12-20T18:01:00Z`)).json();
  assert.equal(profile.interests[0].id, "outdoors.hiking");
}
