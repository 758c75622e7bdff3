// The types of the JavaScript client of the live protocol (live.js), for callers who check theirs.
// The protocol is told in docs/realtime-protocol.md, the events and their data in docs/events.md.

/** Where a client stands in a channel. */
export interface Position {
  epoch: string;
  offset: number;
}

/** An event: ordered, each once. Events of record, and only they, carry `data.version` and `data.n`. */
export interface EventFrame<Data = Record<string, unknown>> extends Position {
  type: "event";
  channel: string;
  event: string;
  id: string;
  at: string;
  data: Data;
}

/** A state: only the latest matters. */
export interface StateFrame<Data = Record<string, unknown>> {
  type: "state";
  channel: string;
  event: string;
  at: string;
  data: Data;
}

/** The first frame of the server. */
export interface WelcomeFrame {
  type: "welcome";
  connection_id: string;
  server_time: string;
  clock_error_ms: number;
  heartbeat_ms: number;
  max_frame_bytes: number;
  user: { id: string; full_name: string; role: string | null };
  subscriptions: (Position & { channel: string })[];
  session_expires_at: string;
}

/** What the server says about the connection itself. A client ignores types that it does not know. */
export type NoticeFrame =
  | { type: "reconnect"; after_ms: number }
  | { type: "session_expiring"; session_expires_at: string }
  | { type: "unsubscribed"; channel: string; code: string }
  | { type: "degraded" }
  | { type: "restored" };

/** Why a connection ended. */
export interface Closed {
  code: number;
  reason: string;
}

/** The handlers of a channel. */
export interface EarHandlers {
  /** Events, in order and each once. */
  onEvent?: ((frame: EventFrame) => void) | null;
  /** States: only the latest matters. */
  onState?: ((frame: StateFrame) => void) | null;
  /** Fetch the snapshot; may give the versions that it held, by id of the aggregate. */
  onReset?: (() => Promise<Record<string, number> | unknown> | unknown) | null;
  /** The server does not let us listen, or does no more. */
  onRefused?: ((refusal: Refusal) => void) | null;
}

/** One channel as a client hears it. */
export class Ear {
  constructor(channel: string, handlers?: EarHandlers);
  readonly channel: string;
  /** How often a snapshot was needed. */
  readonly resets: number;
  /** Is somebody subscribing to it or fetching its snapshot? */
  readonly isFollowing: boolean;
  /** Where to go on, or null: a snapshot is missing. */
  get since(): Position | null;
  /** The last offset that was heard. */
  get offset(): number;
  /** Stand at a position whose snapshot the caller holds, as its `as_of` says. */
  beginAt(position: Position): void;
  /** Begin with a snapshot the next time. */
  forgetPosition(): void;
  /** What a snapshot held, version by id of the aggregate: events that are not newer are dropped. */
  noteVersions(versions: unknown): void;
  /** For the client: the reply of `subscribe`. */
  takeReply(reply: Position & { recovered: boolean; events: EventFrame[] }): void;
  /** For the client: fetch the snapshot when one is needed. */
  settle(): Promise<boolean>;
  /** For the client: it may not be listened to. */
  refuse(refusal: Refusal): void;
  /** For the client: an event; false when something is missing before it. */
  hear(event: EventFrame): boolean;
  /** For the client: a state. */
  hearState(state: StateFrame): void;
}

/** Why a command was refused; `code` is "offline" when it was not answered, and `data.why` says how. */
export class Refusal extends Error {
  constructor(error: { code: string; message?: string; fields?: object[]; data?: Record<string, any> });
  readonly code: string;
  readonly fields: object[];
  readonly data: Record<string, any>;
}

/** The connection ended for good; a `ticket` or `token` function throws it to say so. */
export class ClosedError extends Error {
  constructor(code: number, reason: string);
  readonly code: number;
  readonly reason: string;
}

/** Does a close with this number say not to come back? */
export function isFinal(code: number): boolean;

/** Milliseconds that only go forward. */
export function monotonicMs(): number;

/** Full jitter: a random wait below a bound that doubles with each failure. */
export class Backoff {
  constructor(firstMs?: number, mostMs?: number);
  nextMs(): number;
  reset(): void;
}

/** The server's time as this client knows it. */
export class ServerClock {
  offsetMs: number;
  /** When the server last spoke, by `monotonicMs`; -Infinity when that is in doubt. */
  confirmedAtMs: number;
  /** Epoch milliseconds on the server's clock. */
  nowMs(): number;
  /** How far `nowMs()` may be off; Infinity before the first measure. */
  get errorMs(): number;
  take(samples: { t0: number; t1: number; t2: number; t3: number; clock_error_ms?: number }[]): void;
  restore(known: { offsetMs: number; errorMs: number }): void;
  confirm(serverMs: number): void;
  doubt(): void;
}

export interface LiveClientOptions {
  /** Of the socket; relative to the page. */
  url?: string;
  /** Gives a fresh one-time ticket for the URL. */
  ticket?: () => Promise<string>;
  /** Gives a valid access token for the first frame. */
  token?: () => Promise<string>;
  /** Makes the session last longer. */
  refresh?: () => Promise<unknown>;
  backoff?: Backoff;
}

export interface LiveClientEvents {
  open: CustomEvent<WelcomeFrame>;
  offline: CustomEvent<Closed>;
  ended: CustomEvent<Closed>;
  notice: CustomEvent<NoticeFrame>;
  clock: CustomEvent<null>;
}

/** A live connection that lasts. */
export class LiveClient extends EventTarget {
  constructor(options?: LiveClientOptions);
  readonly clock: ServerClock;
  readonly welcome: WelcomeFrame | Record<string, never>;
  /** How many lines there have been. */
  readonly connections: number;
  /** Has the server said that live events are late? */
  readonly isDegraded: boolean;
  /** Is there a line right now? */
  get isUp(): boolean;
  /** Connect, and stay connected until `close` or a final close. */
  start(): void;
  /** End for good. */
  close(): void;
  /** Resolves once the line is up; rejects when it never will be. */
  connected(): Promise<void>;
  /** Try again now instead of waiting. */
  hurry(): void;
  /** Give the line up without a word; the client comes back by itself. */
  drop(): void;
  /** Send once; `isPatient: false` only on the line that there is. */
  command(type: string, fields?: object, options?: { timeoutMs?: number; isPatient?: boolean }): Promise<any>;
  /** Send until it is answered: for commands with an `op_id`, or idempotent ones. */
  insist(type: string, fields?: object, options?: { timeoutMs?: number }): Promise<any>;
  /** Listen to a channel, now and after every reconnect. */
  subscribe(ear: Ear): Promise<void>;
  /** Listen to a channel that a command has subscribed to. */
  adopt(ear: Ear, subscription: Position): void;
  /** Stop listening without a word. */
  forget(channel: string): void;
  /** Listen no more. */
  unsubscribe(channel: string): Promise<void>;
  /** Measure the server's clock by several exchanges. Never rejects. */
  measureClock(rounds?: number): Promise<void>;
  /** Measure it now, after every reconnect, and every few minutes. */
  keepClock(): Promise<void>;
  addEventListener<Name extends keyof LiveClientEvents>(
    name: Name,
    listener: (event: LiveClientEvents[Name]) => void,
    options?: AddEventListenerOptions,
  ): void;
  addEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
