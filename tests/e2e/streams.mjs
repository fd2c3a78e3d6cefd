// streams.mjs URL N [memory] - N streams at once, again with clients that leave, again.
// Every stream must be the text its prompt gives alone. With "memory" the server's resident memory
// and descriptors must be the same after the rounds as after the first.
const [url, count, memory] = [process.argv[2], Number(process.argv[3]), process.argv[4]];
let passed = 0, failed = 0;
function check(what, ok) {
    if (ok) passed++;
    else { failed++; console.log('FAILED ' + what); }
}

const post = (path, body, signal) => fetch(url + path, {
    method: 'POST', signal, body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json' } });

async function metric(name) {
    const text = await (await fetch(url + '/metrics')).text();
    const line = text.split('\n').find(l => l.startsWith(name + ' '));
    return line ? Number(line.slice(name.length + 1)) : NaN;
}

const names = ['Tom', 'Lily', 'Ben', 'Anna', 'Max', 'Sue', 'the cat', 'a dog', 'one bird', 'a frog'];
const starts = ['Once upon a time', 'One day', 'In the park', 'At night', 'There was'];
const ends = ['', ' saw', ' had a', ' went to the', ' was', ' liked', ' and', ' found a', ' said', ' ran'];
// Every other one is sampled, with a seed of its own.
const requests = Array.from({ length: count }, (_, i) => ({
    prompt: `${starts[i % 5]} ${names[Math.floor(i / 5) % 10]}${ends[Math.floor(i / 50) % 10]}`,
    max_tokens: 12 + i % 20, seed: 1 + i, strategy: i % 2 ? 'top_p' : 'greedy' }));

// The text of a stream, or the reason why it is none.
async function stream(request) {
    const reply = await post('/stream/generate', request);
    if (reply.status !== 200) return `status ${reply.status}: ${await reply.text()}`;
    let text = '', tokens = 0, done = null;
    for (const event of (await reply.text()).split('\n\n')) {
        const m = /^event: (\w+)\ndata: (.*)$/.exec(event);
        if (!m) { if (event) return `not an event: ${event}`; continue; }
        const data = JSON.parse(m[2]);
        if (done) return `event after done: ${event}`;
        if (m[1] === 'done') done = data;
        else if (m[1] !== 'token') return event;
        else { text += data.text; if (data.token_id >= 0) tokens++; }
    }
    if (!done || done.num_generated !== tokens) return `${tokens} tokens, then ${JSON.stringify(done)}`;
    return text;
}

async function round(expected) {
    const got = await Promise.all(requests.map(r => stream(r).catch(e => 'failed: ' + e)));
    const wrong = got.findIndex((t, i) => t !== expected[i]);
    check(`stream ${wrong} of ${count}: ${JSON.stringify(got[wrong])}, alone ` +
          JSON.stringify(expected[wrong]), wrong < 0);
}

async function settled() {
    for (let i = 0; i < 200; i++) {
        if (await metric('realizar_jobs') === 0) return true;
        await new Promise(r => setTimeout(r, 25));
    }
    return false;
}

const expected = [];
for (const r of requests) expected.push((await (await post('/generate', r)).json()).generated_text);
check('prompts give different texts', new Set(expected).size > count / 3);

const start = Date.now();
await round(expected);
console.log(`${count} streams in ${Date.now() - start} ms`);

// Half of them leave in the middle; the others must not notice.
async function leaving() {
    const all = requests.map((r, i) => {
        if (i % 2) return stream(r).then(t => t === expected[i], () => false);
        const gone = new AbortController();
        return post('/stream/generate', { ...r, max_tokens: 150, ignore_eos: true }, gone.signal)
            .then(async reply => { await reply.body.getReader().read(); gone.abort(); return true; })
            .catch(() => true);
    });
    check('streams beside leaving clients', (await Promise.all(all)).every(Boolean));
    check('jobs of clients that left are over', await settled());
}
await leaving();
// By now everything has been as large as it gets; what grows from here on is lost.
const before = await metric('process_resident_memory_bytes');
for (let i = 0; i < 3; i++) await leaving();
await round(expected);
check('nothing runs', await settled() && await metric('realizar_requests_running') === 0);
check('pages are free again', await metric('realizar_kv_cache_used_pages') === 0);
if (memory) {
    const after = await metric('process_resident_memory_bytes');
    const open = await metric('process_open_fds') - await metric('realizar_http_connections');
    console.log(`resident ${(before / 1048576).toFixed(1)} MiB once warm, ` +
                `${(after / 1048576).toFixed(1)} MiB after the last`);
    check(`memory grew by ${after - before} bytes`, after - before < 1048576);
    check(`${open} descriptors that are no connections`, open < 16);
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
