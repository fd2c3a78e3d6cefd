// crowd.mjs URL PID N - N silent connections to a server with few descriptors: it must not spin, it
// must answer who gets through, and it must be as before when they are gone.
import fs from 'node:fs';
import net from 'node:net';
const [url, pid, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
let passed = 0, failed = 0;
function check(what, ok) {
    if (ok) passed++;
    else { failed++; console.log('FAILED ' + what); }
}
const pause = ms => new Promise(r => setTimeout(r, ms));
// Hundredths of a second of processor time.
const busy = () => {
    const f = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return Number(f[11]) + Number(f[12]);
};
const { hostname, port } = new URL(url);

const crowd = [];
for (let i = 0; i < count; i++) {
    const s = net.connect(Number(port), hostname);
    s.on('error', () => {});
    s.write('GET /health HTTP/1.1\r\n'); // begun, so that nobody counts as idle
    crowd.push(s);
}
await pause(300);
const before = busy();
await pause(1000);
check(`${busy() - before} hundredths of a second busy with nothing`, busy() - before < 30);
for (const s of crowd) s.destroy();
let text = '';
for (let i = 0; i < 100 && !text.includes('healthy'); i++) {
    await pause(50);
    text = await fetch(url + '/health').then(r => r.text(), e => String(e));
}
check(`after the crowd: ${text}`, text.includes('healthy'));
const open = fs.readdirSync(`/proc/${pid}/fd`).length;
check(`${open} descriptors are open`, open < 20);
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
