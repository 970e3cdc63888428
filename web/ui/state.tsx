import { Icon, type IconName } from "./icon.tsx";
import { useLanguage } from "./language.tsx";

/** What a state looks like: tone for colour, icon for those who do not see the colour. */
const STATES: Readonly<Record<string, { readonly tone: Tone; readonly icon: IconName }>> = {
  queued: { tone: "idle", icon: "clock" },
  pending: { tone: "idle", icon: "dot" },
  running: { tone: "running", icon: "bolt" },
  deploying: { tone: "running", icon: "bolt" },
  loading: { tone: "running", icon: "bolt" },
  waiting: { tone: "waiting", icon: "pause" },
  succeeded: { tone: "good", icon: "check" },
  passed: { tone: "good", icon: "check" },
  approved: { tone: "good", icon: "check" },
  live: { tone: "good", icon: "check" },
  ready: { tone: "good", icon: "check" },
  ok: { tone: "good", icon: "check" },
  closed: { tone: "idle", icon: "check" },
  acknowledged: { tone: "idle", icon: "check" },
  replayed: { tone: "good", icon: "check" },
  attention: { tone: "waiting", icon: "alert" },
  interrupted: { tone: "waiting", icon: "pause" },
  blocked: { tone: "waiting", icon: "approval" },
  alert: { tone: "bad", icon: "alert" },
  open: { tone: "bad", icon: "alert" },
  failed: { tone: "bad", icon: "cross" },
  lost: { tone: "bad", icon: "cross" },
  abandoned: { tone: "bad", icon: "cross" },
  refused: { tone: "bad", icon: "cross" },
  rolled_back: { tone: "bad", icon: "back" },
  cancelled: { tone: "idle", icon: "stop" },
  skipped: { tone: "idle", icon: "skip" },
  superseded: { tone: "idle", icon: "dot" },
  discarded: { tone: "idle", icon: "dash" },
  no_data: { tone: "idle", icon: "dash" },
  none: { tone: "idle", icon: "dash" },
  idle: { tone: "idle", icon: "dot" },
  empty: { tone: "idle", icon: "dash" },
  cached: { tone: "cached", icon: "copy" },
};

export type Tone = "good" | "bad" | "running" | "waiting" | "idle" | "cached";

export function toneOf(state: string): Tone {
  return STATES[state]?.tone ?? "idle";
}

export function stateIcon(state: string): IconName {
  return STATES[state]?.icon ?? "dot";
}

/** A state in words, with its colour and its icon. */
export function StateBadge({
  state,
  cached = false,
  quiet = false,
}: {
  readonly state: string;
  readonly cached?: boolean;
  readonly quiet?: boolean;
}) {
  const { name } = useLanguage();
  const shown = cached && state === "succeeded" ? "cached" : state;
  return (
    <span className={`state tone-${toneOf(shown)}${quiet ? " state-quiet" : ""}`}>
      <Icon name={stateIcon(shown)} size={13} />
      {name("state", shown)}
    </span>
  );
}

/** The icon of a state alone, with its word for screen readers. */
export function StateMark({ state, cached = false }: { readonly state: string; readonly cached?: boolean }) {
  const { name } = useLanguage();
  const shown = cached && state === "succeeded" ? "cached" : state;
  return (
    <span className={`state-mark tone-${toneOf(shown)}`} title={name("state", shown)}>
      <Icon name={stateIcon(shown)} size={12} />
      <span className="hidden-text">{name("state", shown)}</span>
    </span>
  );
}
