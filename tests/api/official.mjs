// The official client for Node, through the proxy. `node official.mjs BASE_URL`
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "sk-node", maxRetries: 0,
  defaultHeaders: { "Tactful-Account": "whatsapp:node", "Tactful-Conversation": "n1", "Tactful-Region": "US" } });
const messages = [{ role: "user", content: "What are good hikes near Boulder?" }];
const answer = await client.chat.completions.create({ model: "local", messages });
assert.equal(answer.choices[0].message.content, "Bear Peak is fine.");
let streamed = "";
for await (const chunk of await client.chat.completions.create({ model: "local", messages, stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
}
assert.equal(streamed, "Bear Peak is fine.");
const response = await client.responses.create({ model: "local", input: "What are good hikes near Boulder?" });
assert.equal(response.output_text, "Bear Peak is fine.");
let deltas = "";
for await (const event of await client.responses.create({ model: "local", input: messages, stream: true })) {
  if (event.type === "response.output_text.delta") deltas += event.delta;
}
assert.equal(deltas, "Bear Peak is fine.");
assert.equal((await client.models.list()).data[0].id, "local");
await assert.rejects(client.models.retrieve("none"), (error) => error instanceof OpenAI.NotFoundError);
await client.responses.delete(response.id);
await client.chat.completions.delete(answer.id);
await client.conversations.delete("n1");
