import { ConnectionState, type RemoteParticipant, type Room } from 'livekit-client';

/** What the caller is told about the call, in one word. */
export type State =
  | 'connecting'
  | 'waiting'
  | 'listening'
  | 'thinking'
  | 'speaking'
  | 'reconnecting'
  | 'ended';

const ATTRIBUTE = 'lk.agent.state';

const WORDS: Record<string, State> = {
  initializing: 'waiting',
  idle: 'listening',
  listening: 'listening',
  thinking: 'thinking',
  speaking: 'speaking',
};

/** The agent that joined last: the ghost of one that died stays in the room for some seconds beside its successor. */
export function agentOf(room: Room): RemoteParticipant | undefined {
  return [...room.remoteParticipants.values()]
    .filter((participant) => participant.isAgent)
    .sort((one, other) => (other.joinedAt?.getTime() ?? 0) - (one.joinedAt?.getTime() ?? 0))[0];
}

/** The state of a room that the caller has asked to join. */
export function stateOf(room: Room): State {
  switch (room.state) {
    case ConnectionState.Disconnected:
    case ConnectionState.Connecting:
      return 'connecting';
    case ConnectionState.Reconnecting:
    case ConnectionState.SignalReconnecting:
      return 'reconnecting';
    case ConnectionState.Connected:
      return WORDS[agentOf(room)?.attributes[ATTRIBUTE] ?? ''] ?? 'waiting';
  }
}
