// Anthropic's client: node tools_anthropic.mjs URL
import { check, done, load, tools, url } from "./client.mjs";

const { default: Anthropic } = await load("@anthropic-ai/sdk");
const client = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "How is the weather in Paris?" }];
const request = {
    model: "default", max_tokens: 100, messages,
    tools: tools.map(f => ({ name: f.name, description: f.description, input_schema: f.parameters })),
};
const good = m => m.content.length === 3 && m.content[0].text === "Let me see." &&
    m.content[1].type === "tool_use" && m.content[1].name === "weather" && m.content[1].input.city === "Paris" &&
    m.content[2].name === "clock" && m.content[1].id !== m.content[2].id && m.stop_reason === "tool_use";

const whole = await client.messages.create(request);
check("text and two uses of tools", good(whole), whole);
check("usage", whole.usage.output_tokens === 5 && whole.usage.input_tokens > 5, whole.usage);
let events = 0;
const stream = client.messages.stream(request).on("streamEvent", () => events++);
const streamed = await stream.finalMessage();
check("the same as a stream", good(streamed) && events > 8 && streamed.usage.output_tokens === 5, streamed);

const next = await client.messages.create({
    ...request, system: "Be brief.",
    messages: [...messages, { role: "assistant", content: whole.content }, {
        role: "user", content: [{ type: "tool_result", tool_use_id: whole.content[1].id, content: "Sunny" },
            { type: "tool_result", tool_use_id: whole.content[2].id, content: [{ type: "text", text: "Noon" }] }],
    }],
});
check("results go back", next.role === "assistant", next);
const counted = await client.messages.countTokens({ model: "default", messages });
check("tokens are counted", counted.input_tokens > 5, counted);
try {
    await client.messages.create({ ...request, max_tokens: -1 });
    check("a wrong number is refused", false, "it was not");
} catch (e) {
    check("a wrong number is refused in words", e.status === 400 &&
        e.error?.error?.type === "invalid_request_error" && e.message.includes("max_tokens"), e.message);
}
done();
