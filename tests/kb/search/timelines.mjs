// Plays timelines: `node timelines.mjs kb/static/intents.js` reads [{begin, steps: [[at, event], …]}, …] from standard input and writes what each led to.
// The network answers a send after 40 ms, unless a step says otherwise. States are frozen: whoever changes one in place fails here.
import { readFileSync } from "node:fs";

const rule = readFileSync(process.argv[2]).toString("base64"); // as text: a .js file is no module to every Node
const { begin, step } = await import(`data:text/javascript;base64,${rule}`);

function frozen(value) {
  if (value && typeof value === "object") Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

function play({ begin: options, steps }) {
  let made = 0;
  let state = frozen(begin({ newId: () => `id-${++made}`, ...options }));
  let [delay, network, foreign] = [40, "online", 0]; // `foreign`: so many ids to come belong to somebody else
  let alarm = null; // when the timer rings
  const led = { sends: [], searches: [], told: [] };
  const agenda = [...steps]; // [at, event], in order

  function happen(at, event) {
    const { state: after, effects } = step(state, frozen(event), at);
    state = frozen(after);
    for (const effect of effects) carry(effect, at);
  }

  function soon(at, event) {
    agenda.push([at, event]);
    agenda.sort(([one], [other]) => one - other);
  }

  function ring(at) {
    alarm = null;
    happen(at, { type: "tick" });
  }

  function carry({ search, typing, clear, send, told, wake }, at) {
    if (wake !== undefined) alarm = wake;
    if (search && network === "offline") soon(at + delay, { type: "lost" });
    if (search || clear) led.searches.push({ text: search ?? "", typing });
    if (told) led.told.push(told);
    if (!send) return;
    led.sends.push({ at, ...send });
    if (network === "offline") soon(at + delay, { type: "failed", question: send });
    else if (foreign-- > 0) soon(at + delay, { type: "failed", question: send, taken: true });
    else soon(at + delay, { type: "stored", question: send, said: { verdict: "unanswered" } });
  }

  while (agenda.length) {
    if (alarm !== null && alarm <= agenda[0][0]) {
      ring(alarm);
      continue;
    }
    const [at, event] = agenda.shift();
    if (event.type === "early") ring(at); // timers of some browsers ring before their time
    else if (event.type === "slow") delay = 2000;
    else if (event.type === "fast") delay = 40;
    else if (event.type === "taken") foreign = Number(event.text);
    else if (["offline", "online"].includes(event.type)) network = event.type;
    else if (event.type === "withdrawn") happen(at, { ...event, intent_id: state.wish.id });
    else if (event.type !== "wait") happen(at, event);
  }
  return led;
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(play)));
