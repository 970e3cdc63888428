import type { Generated } from "kysely";

/** `queued`: no worker has it, `running`: one has, `ended`: it has a result, `lost`: its worker was silent too long. */
export const TASK_STATES = ["queued", "running", "ended", "lost"] as const;
export type TaskState = (typeof TASK_STATES)[number];

export interface TaskTables {
  worker: {
    project: string;
    id: string;
    name: string;
    executor: string | null;
    host: string;
    version: string;
    offer: string;
    labels: string;
    actor: string;
    started_at_ms: number;
    seen_at_ms: number;
  };
  task: {
    id: string;
    attempt_id: string;
    project: string;
    executor: string;
    state: TaskState;
    /** Sealed: it holds the values of secrets. */
    spec: string;
    /** Digest of the object that lists its files. */
    manifest: string;
    needs: string;
    /** Characters of its log that are none of its process. */
    told_characters: Generated<number>;
    lease_ms: number;
    worker_id: string | null;
    worker_name: string | null;
    token: number;
    lease_expires_at_ms: number | null;
    cancel_asked: number;
    log_pieces: number;
    result: string | null;
    created_at_ms: number;
    claimed_at_ms: number | null;
    ended_at_ms: number | null;
  };
  task_log: { task_id: string; number: number; text: string };
}
