import type { Room, TextStreamReader } from 'livekit-client';

export type Speaker = 'caller' | 'agent';

const TOPIC = 'lk.transcription';
const SEGMENT_ID = 'lk.segment_id';
const FINAL = 'lk.transcription_final';

/** Shows both sides of a call as they speak: one element per sentence, rewritten in place until it is final. */
export class Captions {
  private readonly segments = new Map<string, Segment>();

  constructor(private readonly container: HTMLElement) {}

  clear(): void {
    this.segments.clear();
    this.container.replaceChildren();
  }

  /** Follow the transcription that the agent sends into `room`. */
  follow(room: Room): void {
    room.registerTextStreamHandler(TOPIC, (reader, { identity }) => {
      const speaker = identity === room.localParticipant.identity ? 'caller' : 'agent';
      void this.read(reader, speaker);
    });
  }

  /**
   * The agent's words come piece by piece in one stream a segment; the caller's come whole, in a new stream with the
   * same segment id each time that the recogniser changes its mind.
   */
  private async read(reader: TextStreamReader, speaker: Speaker): Promise<void> {
    const id = reader.info.attributes?.[SEGMENT_ID] ?? reader.info.id;
    let text = '';
    try {
      for await (const piece of reader) {
        text += piece;
        this.show(id, speaker, text, false);
      }
    } catch (error) {
      // The sender vanished in mid-sentence: what it said until then stays.
      console.warn('transcription broke off', error);
    }
    this.show(id, speaker, text, speaker === 'agent' || reader.info.attributes?.[FINAL] === 'true');
  }

  private show(id: string, speaker: Speaker, text: string, final: boolean): void {
    let segment = this.segments.get(id);
    if (segment?.final || (!segment && !text.trim())) return;
    const atEnd =
      this.container.scrollHeight - this.container.scrollTop - this.container.clientHeight < NEAR_END_PX;
    if (!segment) {
      segment = new Segment(speaker);
      this.segments.set(id, segment);
      this.container.append(segment.element);
    }
    segment.show(text, final);
    if (atEnd) this.container.scrollTop = this.container.scrollHeight;
  }
}

/** Someone who has scrolled further up than this is reading, and is not pulled down. */
const NEAR_END_PX = 60;

class Segment {
  readonly element = document.createElement('p');
  final = false;
  private readonly sentences: HTMLSpanElement[] = [];

  constructor(private readonly speaker: Speaker) {
    this.element.className = `said ${speaker}`;
    const who = document.createElement('span');
    who.className = 'who';
    who.textContent = speaker === 'caller' ? 'You' : 'Agent';
    this.element.append(who);
  }

  show(text: string, final: boolean): void {
    const wanted = sentencesOf(text);
    while (this.sentences.length > wanted.length) this.sentences.pop()?.remove();
    wanted.forEach((sentence, index) => {
      let element = this.sentences[index];
      if (!element) {
        element = document.createElement('span');
        element.dataset.speaker = this.speaker;
        if (index > 0) this.element.append(' ');
        this.element.append(element);
        this.sentences.push(element);
      }
      if (element.textContent !== sentence) element.textContent = sentence;
    });
    this.final = final;
    this.element.dataset.final = String(final);
  }
}

const splitter = 'Segmenter' in Intl ? new Intl.Segmenter('en', { granularity: 'sentence' }) : undefined;

function sentencesOf(text: string): string[] {
  const parts = splitter ? Array.from(splitter.segment(text), (part) => part.segment) : [text];
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}
