import { DisconnectReason } from 'livekit-client';

/** Something that stopped a call, as a sentence for the caller. */
export class Problem extends Error {}

/** Why there is no microphone. */
export function microphoneProblem(error: unknown): Problem {
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError':
      return new Problem('The microphone is blocked. Allow it for this page in your browser, then call again.');
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new Problem('No microphone was found. Connect one, then call again.');
    case 'NotReadableError':
      return new Problem('Another program is using the microphone. Close it, then call again.');
    default:
      return new Problem('The microphone could not be opened. Check it in your system settings, then call again.');
  }
}

/** Why the server did not start a call. */
export async function answerProblem(answer: Response): Promise<Problem> {
  if (answer.status === 429) {
    const wait = Number(answer.headers.get('Retry-After')) || 60;
    return new Problem(`Too many calls were started from here. Try again in ${wait} seconds.`);
  }
  const document: { error?: unknown } = await answer.json().catch(() => ({}));
  const reason = typeof document.error === 'string' ? document.error : `the server answered ${answer.status}`;
  return new Problem(`The call could not start: ${reason}.`);
}

/** How a call that nobody here hung up came to its end: undefined when that is how calls end. */
export function endProblem(reason: DisconnectReason | undefined): Problem | undefined {
  switch (reason) {
    case DisconnectReason.ROOM_DELETED:
    case DisconnectReason.ROOM_CLOSED:
    case DisconnectReason.PARTICIPANT_REMOVED:
      return undefined;
    case DisconnectReason.DUPLICATE_IDENTITY:
      return new Problem('This call goes on in another window.');
    default:
      return new Problem('The connection was lost. You can call again.');
  }
}
