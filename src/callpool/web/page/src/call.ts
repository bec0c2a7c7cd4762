import {
  AudioPresets,
  createLocalAudioTrack,
  type DisconnectReason,
  type LocalAudioTrack,
  type RemoteTrack,
  Room,
  RoomEvent,
  Track,
} from 'livekit-client';
import { type State, stateOf } from './agent';
import { answerProblem, endProblem, microphoneProblem, Problem } from './problems';

/** A return has to happen within 20 s of the loss, so the client tries often; it gives up after about 25 s. */
const RETRY_DELAYS_MS = [0, 300, 700, ...Array<number>(12).fill(2000)];

interface Ticket {
  livekit_url: string;
  token: string;
}

/** What the page wants to know of a call. */
export interface Listener {
  state(state: State): void;
  /** The browser plays no sound before the caller touches the page. */
  silent(silent: boolean): void;
  /** Called once, whoever ended the call and however far it had come. */
  ended(problem: Problem | undefined): void;
}

/** One call: from the microphone to the hang-up. */
export class Call {
  readonly room = new Room({
    publishDefaults: {
      audioPreset: AudioPresets.speech,
      // Without packets in the pauses, the agent would have to guess how long the caller has been silent.
      dtx: false,
      red: true,
    },
    reconnectPolicy: {
      nextRetryDelayInMs: ({ retryCount }) => RETRY_DELAYS_MS[retryCount] ?? null,
    },
  });
  private microphone?: LocalAudioTrack;
  private readonly players = new Map<Track, HTMLMediaElement>();
  private over = false;

  constructor(private readonly listener: Listener) {
    const changed = () => this.tell();
    this.room
      .on(RoomEvent.ConnectionStateChanged, changed)
      .on(RoomEvent.ParticipantConnected, changed)
      .on(RoomEvent.ParticipantDisconnected, changed)
      .on(RoomEvent.ParticipantAttributesChanged, changed)
      .on(RoomEvent.TrackSubscribed, (track) => {
        if (track.kind === Track.Kind.Audio) this.play(track);
      })
      .on(RoomEvent.TrackUnsubscribed, (track) => {
        this.players.get(track)?.remove();
      })
      .on(RoomEvent.AudioPlaybackStatusChanged, () => listener.silent(!this.room.canPlaybackAudio))
      .on(RoomEvent.Disconnected, (reason) => this.disconnected(reason));
  }

  /** Join. Ends the call by itself when something is in the way. */
  async start(): Promise<void> {
    this.tell();
    try {
      // The microphone comes first: a caller may think about the browser's question for as long as a token lasts.
      this.microphone = await openMicrophone();
      if (this.over) return this.release();
      const ticket = await requestTicket();
      if (this.over) return;
      await this.join(ticket);
    } catch (error) {
      if (!(error instanceof Problem)) console.error(error);
      this.end(error instanceof Problem ? error : new Problem('The call could not be connected.'));
    }
  }

  async setMuted(muted: boolean): Promise<void> {
    await (muted ? this.microphone?.mute() : this.microphone?.unmute());
  }

  /** Let sound through; to be called from a click. */
  async startAudio(): Promise<void> {
    await this.room.startAudio();
  }

  hangUp(): void {
    this.end(undefined);
  }

  private async join(ticket: Ticket): Promise<void> {
    try {
      await this.room.connect(ticket.livekit_url, ticket.token);
    } catch (error) {
      if (this.over) return;
      console.error(error);
      throw new Problem('The call could not be connected: the voice server cannot be reached.');
    }
    if (this.over || !this.microphone) return;
    await this.room.localParticipant.publishTrack(this.microphone, { source: Track.Source.Microphone });
    this.tell();
  }

  private tell(): void {
    if (!this.over) this.listener.state(stateOf(this.room));
  }

  private play(track: RemoteTrack): void {
    const player = track.attach();
    this.players.set(track, player);
    document.body.append(player);
  }

  private disconnected(reason: DisconnectReason | undefined): void {
    // While a call is being set up, `join` knows better what went wrong.
    if (this.room.localParticipant.sid) this.end(endProblem(reason));
  }

  private end(problem: Problem | undefined): void {
    if (this.over) return;
    this.over = true;
    this.release();
    void this.room.disconnect();
    this.listener.ended(problem);
  }

  private release(): void {
    this.microphone?.stop();
  }
}

async function openMicrophone(): Promise<LocalAudioTrack> {
  if (!navigator.mediaDevices) {
    throw new Problem('Browsers give a microphone only to pages on HTTPS or on localhost.');
  }
  try {
    return await createLocalAudioTrack({
      autoGainControl: true,
      echoCancellation: true,
      noiseSuppression: true,
    });
  } catch (error) {
    throw microphoneProblem(error);
  }
}

/** `?language=` and `?profile=` of the page's address are passed on. */
async function requestTicket(): Promise<Ticket> {
  const address = new URLSearchParams(location.search);
  const wish = Object.fromEntries(
    ['language', 'profile'].flatMap((name) => (address.has(name) ? [[name, address.get(name)]] : [])),
  );
  let answer: Response;
  try {
    answer = await fetch('api/calls', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(wish),
    });
  } catch {
    throw new Problem('The server cannot be reached. Check your connection, then call again.');
  }
  if (!answer.ok) throw await answerProblem(answer);
  return answer.json();
}
