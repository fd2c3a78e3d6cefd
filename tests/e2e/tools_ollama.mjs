// Ollama's client: node tools_ollama.mjs URL
import { check, done, load, tools, url } from "./client.mjs";

const { Ollama } = await load("ollama");
const client = new Ollama({ host: url });
const messages = [{ role: "user", content: "How is the weather in Paris?" }];
const request = { model: "default", messages, tools: tools.map(f => ({ type: "function", function: f })) };
const good = calls => calls?.length === 2 && calls[0].function.name === "weather" &&
    calls[0].function.arguments.city === "Paris" && calls[1].function.name === "clock";

const models = await client.list();
check("models are listed", models.models[0].name === "default" && models.models[0].details.family === "llama", models);
check("one is running", (await client.ps()).models.length === 1);
check("it is described", (await client.show({ model: "default" })).model_info["general.architecture"] === "llama");

const chat = await client.chat(request);
check("a chat calls tools", good(chat.message.tool_calls) && chat.message.content === "Let me see.", chat);
check("it says how it went", chat.done && chat.done_reason === "stop" && chat.eval_count === 5 && chat.prompt_eval_count > 5, chat);
let text = "", calls = [], last;
for await (const part of await client.chat({ ...request, stream: true })) {
    text += part.message.content;
    calls.push(...(part.message.tool_calls ?? []));
    last = part;
}
check("so does a stream", good(calls) && text === "Let me see." && last.done && last.eval_count === 5, { text, calls, last });

const whole = await client.generate({ model: "default", prompt: "Hi", options: { num_predict: 1 } });
check("a prompt is answered", whole.response === "Let me see." && whole.done_reason === "length", whole);
let pieces = "";
for await (const part of await client.generate({ model: "default", prompt: "Hi", stream: true, options: { num_predict: 1 } }))
    pieces += part.response;
check("also as a stream", pieces === whole.response, pieces);
try {
    await client.generate({ model: "default", prompt: "Hi", options: { temperature: -1 } });
    check("a wrong option is refused", false, "it was not");
} catch (e) {
    check("a wrong option is refused in words", e.status_code === 400 && e.message.includes("temperature"), e.message);
}
const shape = { type: "object", properties: { sunny: { type: "boolean" } }, required: ["sunny"] };
const shaped = await client.generate({ model: "default", prompt: "The weather, as JSON:", format: shape });
check("format holds the answer to a schema", typeof JSON.parse(shaped.response).sunny === "boolean" && shaped.done_reason === "stop", shaped);

const vectors = await client.embed({ model: "default", input: ["Hi", "How is the weather?"] });
check("texts become vectors", vectors.embeddings.length === 2 && vectors.embeddings[1].length === 32 && vectors.prompt_eval_count > 2, vectors);
check("one by one too", (await client.embeddings({ model: "default", prompt: "Hi" })).embedding.length === 32);

done();
