import { LogLevel, Room, setLogLevel } from 'livekit-client';
import type { State } from './agent';
import { Call } from './call';
import { Captions } from './captions';
import type { Problem } from './problems';

/** How long a caller waits before the page says that there is a queue, milliseconds. */
const QUEUE_AFTER_MS = 8000;

const QUEUE = 'Everyone is busy. Stay on the line: the next free agent answers.';
const MUTED = 'The agent does not hear you.';
const SILENT = 'Touch the page to hear the agent.';

setLogLevel(LogLevel.warn);

const page = element('call');
const state = element('state');
const notice = element('notice');
const button = element<HTMLButtonElement>('button');
const mute = element<HTMLButtonElement>('mute');
const captions = new Captions(element('captions'));

let call: Call | undefined;
let waiting: ReturnType<typeof setTimeout> | undefined;

button.addEventListener('click', () => (call ? call.hangUp() : start()));

mute.addEventListener('click', () => {
  const muted = mute.getAttribute('aria-pressed') !== 'true';
  mute.setAttribute('aria-pressed', String(muted));
  if (muted) say(MUTED);
  else unsay(MUTED);
  void call?.setMuted(muted);
});

// A browser that wants a touch before it plays sound gets it from any touch of the page.
document.addEventListener('click', () => void call?.startAudio().catch(() => undefined));

button.disabled = false;
void new Room().prepareConnection(
  document.querySelector<HTMLMetaElement>('meta[name=livekit-url]')?.content ?? '',
);

function start(): void {
  captions.clear();
  say('');
  mute.setAttribute('aria-pressed', 'false');
  become('hang-up', 'Hang up');
  const started = new Call({
    state: show,
    silent: (silent) => (silent ? say(SILENT) : unsay(SILENT)),
    ended,
  });
  call = started;
  captions.follow(started.room);
  void started.start();
}

function show(word: State): void {
  page.dataset.state = word;
  state.textContent = word;
  mute.hidden = word === 'connecting' || word === 'ended';
  clearTimeout(waiting);
  if (word === 'waiting') waiting = setTimeout(() => say(QUEUE), QUEUE_AFTER_MS);
  else unsay(QUEUE);
}

function ended(problem: Problem | undefined): void {
  call = undefined;
  show('ended');
  say(problem?.message ?? '', problem !== undefined);
  become('start', 'Call again');
}

function say(sentence: string, problem = false): void {
  notice.textContent = sentence;
  notice.classList.toggle('problem', problem);
}

function unsay(sentence: string): void {
  if (notice.textContent === sentence) say('');
}

/** The one button starts the call and ends it; its test id follows what it does. */
function become(testId: 'start' | 'hang-up', label: string): void {
  button.dataset.testid = testId;
  button.textContent = label;
}

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}
