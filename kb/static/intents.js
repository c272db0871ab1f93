// When keystrokes are a question: what somebody does at a search box goes in, what is to be searched and sent comes out. No page, no network, no timer, no clock:
// search.js and the widget carry the effects out and tell what became of them. tests/golden/timelines.toml shows what follows from what. The server has the last
// word (kb/search/intents.py): it refuses pinyin that was not converted and takes refinements for one wish.

const PAUSE = 110; // ms without a key until a search
const REST = 5000; // ms without a key that finish a question
const AWAY = 400; // ms outside the box that finish it; pressing something in the results takes less
const KEPT = 2000; // characters of a question that the server keeps; browsers refuse keepalive bodies over 64 KiB
const LOUD = { next: 0, leave: 0, idle: 0, open: 1, enter: 2, unsolved: 3 }; // from 2 on somebody waits for what becomes of it

// Returns the state of a box. `newId()` gives a random id. `text`: the question whose results came with the page; it was asked elsewhere, or is a shared link.
// `live`: an input method composes every Latin word, as on Android; what it composes is searched. `together`: results hold the receipt, so Enter searches after it
// has sent.
export function begin({ newId, text = "", live = false, together = false }) {
  const stands = tidy(text);
  return {
    newId, live, together,
    text: stands, // what the box says, without what is being composed
    draft: "", // what is searched next
    asked: { text: stands, typing: false }, // whose results are shown, or on their way
    composing: false,
    due: {}, // when to search, when a rest is one, when somebody is away
    wake: null, // the first of these
    wish: stands ? sentWish(newId(), stands) : wishFor(newId(), ""),
    sends: [], // under way
    owed: [], // those of earlier wishes that failed: the next trigger repeats them
  };
}

// One wish, however many keystrokes. `text`: its wording now; `fullest`: the longest that was searched; `before`: what was sent under the wish before it; `sent`: its
// wording that was sent; `loud`: of its loudest trigger, -1 before the first; `stored`: the same of what the server has; `said`: what the server made of it.
function wishFor(id, text, before = "") {
  return { id, text, fullest: "", before, sent: "", loud: -1, stored: -1, said: null };
}

// Returns a wish that nothing but a key or a button sends once more.
function sentWish(id, text) {
  return { ...wishFor(id, text), sent: text, loud: 0, stored: 0 };
}

// Returns the state after an event at `at` (ms), and the effects in order. A state is never changed. Events:
//   {type: "input" | "compositionend", text, composing?, ready?}    `ready`: nothing more is being typed, search at once
//   {type: "compositionstart" | "blur" | "focus" | "leave"}          leave: the page is hidden, the panel closed
//   {type: "enter", text, composing?}    {type: "unsolved", text}    {type: "open", text, opened, rank}    `text` of the last two: what the results answer
//   {type: "stored", question, said}     {type: "failed", question, taken?}     of a send; `taken`: its id belongs to another person
//   {type: "lost"} what was searched last cannot be shown    {type: "withdrawn", intent_id} by its person    {type: "tick"} when it is time to wake
// Effects:
//   {search: text, typing}    {clear: true} nothing is asked    {send: question}    {wake: at | null} replaces the last one
//   {told: {intent_id, query, trigger, said}} what became of a question that somebody waits for and has not typed over; said: null when it could not be sent
export function step(state, event, at) {
  const now = { ...state, wish: { ...state.wish }, due: { ...state.due }, sends: [...state.sends], owed: [...state.owed], effects: [] };
  EVENTS[event.type](now, event, at);
  const { effects, ...after } = now;
  const wake = Math.min(...Object.values(after.due));
  after.wake = wake < Infinity ? wake : null;
  if (after.wake !== state.wake || (event.type === "tick" && after.wake !== null)) effects.push({ wake: after.wake });
  return { state: after, effects };
}

const EVENTS = {
  input(now, { text, composing = false, ready = false }, at) {
    now.composing = composing;
    if (!composing) return settle(now, tidy(text), at, ready);
    delete now.due.search;
    if (now.live && tidy(text)) [now.draft, now.due.search] = [tidy(text), at + PAUSE];
  },
  compositionstart(now) {
    now.composing = true;
    delete now.due.search;
    delete now.due.rest;
  },
  compositionend(now, { text }, at) {
    now.composing = false;
    settle(now, tidy(text), at, true);
  },
  enter(now, { text, composing = false }) {
    if (!composing && (!now.composing || now.live)) conclude(now, "enter", tidy(text)); // else an input method let its own Enter through
  },
  unsolved(now, { text }) {
    conclude(now, "unsolved", tidy(text));
  },
  open(now, { text, opened, rank }) {
    if (!tidy(text)) return;
    heed(now, tidy(text));
    finish(now, "open", tidy(text), { opened, rank });
  },
  leave,
  blur(now, _, at) {
    now.due.away = at + AWAY;
  },
  focus(now) {
    delete now.due.away;
  },
  tick(now, _, at) {
    const { search: pause, rest, away } = now.due;
    if (pause <= at) search(now, now.draft, true);
    if (rest <= at) idle(now);
    if (away <= at && !now.composing) leave(now);
    else if (away <= at) delete now.due.away;
  },
  stored(now, { question, said }) {
    const wish = now.wish;
    if (!ended(now, question)) return;
    const waits = LOUD[question.trigger] >= LOUD.enter;
    if (wish.id === question.intent_id) Object.assign(wish, { stored: Math.max(wish.stored, LOUD[question.trigger]) }, waits && { said });
    if (waits) tell(now, question, said);
  },
  failed(now, { question, taken = false }) {
    const [late, wish] = [ended(now, question), now.wish];
    if (!late) return;
    const mine = wish.id === late.intent_id;
    if (taken && !late.again) {
      const intent_id = now.newId();
      if (mine) wish.id = intent_id;
      return send(now, { ...late, intent_id, again: true });
    }
    if (mine) {
      wish.loud = wish.stored;
      note(now, late.query);
      if (LOUD[late.trigger] >= LOUD.enter) tell(now, late, null);
    } else if (wish.loud >= 0 || !related(late.query, wish.text || wish.fullest)) now.owed.push({ ...late, again: false });
    else [wish.before, wish.fullest] = ["", wish.fullest || late.query]; // the same in other words, still to be sent
  },
  lost(now) {
    now.asked = { text: "", typing: true };
  },
  withdrawn(now, { intent_id }) {
    const { id, text } = now.wish;
    if (id === intent_id) now.wish = sentWish(now.newId(), text); // said again it is a new one
  },
};

// Takes what the box says now.
function settle(now, text, at, ready) {
  now.text = text;
  delete now.due.search;
  delete now.due.rest;
  if (!text) {
    if (now.wish.loud < 0) now.wish.text = "";
    now.asked = { text: "", typing: true };
    return now.effects.push({ clear: true });
  }
  heed(now, text);
  if (text === now.asked.text) note(now, text); // searched while it was composed
  else if (ready) search(now, text, true);
  else [now.draft, now.due.search] = [text, at + PAUSE];
  now.due.rest = at + REST;
}

function search(now, text, typing) {
  delete now.due.search;
  if (!now.composing) note(now, text);
  now.asked = { text, typing };
  now.effects.push({ search: text, typing });
}

// Takes `text` for what is wished now: the same wish in other words, or a new one. What a new one replaces is sent.
function heed(now, text) {
  const { wish } = now;
  if (text === wish.text) return;
  const other = wish.loud < 0 && wish.fullest && !related(text, wish.fullest);
  if (other && !short(wish.fullest)) finish(now, "next", wish.fullest);
  if (other || wish.loud >= 0) now.wish = wishFor(now.newId(), text, wish.sent);
  else wish.text = text;
}

// Notes a wording that was searched. One that only shortens the question sent before is that question being deleted.
function note({ wish }, text) {
  if (wish.loud < 0 && text.length > wish.fullest.length && !wish.before.includes(text)) wish.fullest = text;
}

// Finishes a question by Enter or a button. Said again and no louder, what became of it stands.
function conclude(now, trigger, text) {
  if (!text) return;
  now.text = text;
  delete now.due.search;
  delete now.due.rest;
  heed(now, text);
  if (trigger === "enter" && !now.together && (now.asked.text !== text || now.asked.typing)) search(now, text, false);
  const { wish } = now;
  if (LOUD[trigger] > wish.loud) finish(now, trigger, text);
  else if (wish.stored >= LOUD.enter) tell(now, { intent_id: wish.id, query: text, trigger }, wish.said);
}

function idle(now) {
  const { loud, text, before } = now.wish;
  delete now.due.rest;
  if (loud < 0 && text !== before && !short(text)) finish(now, "idle", text);
}

// Sends what was left standing: the wording in the box, or the fullest of those that were deleted from it.
function leave(now) {
  const { wish } = now;
  delete now.due.rest;
  delete now.due.away;
  repeat(now);
  note(now, wish.text);
  const text = short(wish.text) ? wish.fullest : wish.text;
  if (wish.loud < 0 && wish.fullest && !short(text)) finish(now, "leave", text);
}

function finish(now, trigger, text, more) {
  const { wish } = now;
  repeat(now);
  Object.assign(wish, { text, sent: text, loud: Math.max(wish.loud, LOUD[trigger]) });
  send(now, { intent_id: wish.id, query: text, trigger, ...more });
}

function repeat(now) {
  for (const late of now.owed.splice(0)) send(now, late);
}

function send(now, { again = false, ...question }) {
  now.sends.push({ ...question, again });
  now.effects.push({ send: question });
}

// Takes a send from those under way. Returns undefined for one that is not.
function ended(now, { intent_id, trigger }) {
  const at = now.sends.findIndex((one) => one.intent_id === intent_id && one.trigger === trigger);
  return at < 0 ? undefined : now.sends.splice(at, 1)[0];
}

function tell(now, { intent_id, query, trigger }, said) {
  if (now.text !== query) return; // typed on meanwhile
  if (now.together) now.asked = { text: query, typing: false };
  now.effects.push({ told: { intent_id, query, trigger, said } });
}

function tidy(text) {
  return text.trim().slice(0, KEPT).replace(/[\uD800-\uDBFF]$/, ""); // half an emoji is no text
}

// Tells whether a text is too short to be finished unless its person says so.
function short(text) {
  return [...text].length < 2;
}

// Tells whether two wordings are one wish being typed or corrected: one holds the other, or they differ only in the middle.
function related(one, other) {
  const least = Math.min(one.length, other.length);
  let head = 0, tail = 0;
  while (head < least && one[head] === other[head]) head++;
  while (head + tail < least && one.at(-1 - tail) === other.at(-1 - tail)) tail++;
  return one.includes(other) || other.includes(one) || head + tail >= 0.3 * (one.length + other.length);
}
