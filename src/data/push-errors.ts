import { defineError, type ErrorFactory } from "#base";

export const pushNotDeclared: ErrorFactory<{ dataset: string; known: readonly string[] }> = defineError(
  "DATA_PUSH_NOT_DECLARED",
  {
    status: 404,
    message: ({ dataset, known }) =>
      `No step takes events for the dataset ${dataset}${known.length === 0 ? "" : `; those that take some are ${known.slice(0, 20).join(", ")}`}`,
    hint: ({ dataset }) => `Declare it in a pipeline: steps: { ${dataset}: { capture: { push: {} } } }`,
    solve:
      "Declare a step with `capture: { push: {} }` of that name in a pipeline, or name a dataset that has one. A running server follows the files of the project.",
  },
);

export const eventsInvalid: ErrorFactory<{ place: string; problem: string }> = defineError("DATA_EVENTS_INVALID", {
  status: 400,
  message: ({ place, problem }) => `The events cannot be taken: ${place}: ${problem}; none of them was kept`,
  hint: () => "Send one JSON object a line, or a JSON array of objects, in UTF-8.",
  solve:
    "Send one JSON object a line (`application/x-ndjson`), or an array of objects, in UTF-8. A request is taken whole or not at all; what a contract does not allow is taken, and goes to the quarantine.",
});

export const eventIdMissing: ErrorFactory<{ dataset: string; field: string; event: number }> = defineError(
  "DATA_EVENT_ID_MISSING",
  {
    status: 422,
    message: ({ dataset, field, event }) =>
      `Event ${event} has no text or number in ${field}, by which ${dataset} tells events apart; none of the request was kept`,
    hint: ({ field }) => `Give every event a value in ${field} that no other event has.`,
    solve: "Give every event a value in the field that `push: { id }` names, or take `id` out of the pipeline.",
  },
);

export const pushKeyInvalid: ErrorFactory<{ found: number }> = defineError("DATA_PUSH_KEY_INVALID", {
  status: 400,
  message: ({ found }) => `The Idempotency-Key has ${found} characters; expected 1 to 255`,
  hint: () => "Use a random id, such as a UUID, for each request, and the same one when it is sent again.",
  solve:
    "Send a header `Idempotency-Key` of 1 to 255 characters: one for each request, the same when it is sent again.",
});

export const pushKeyReused: ErrorFactory<{ dataset: string; key: string }> = defineError("DATA_PUSH_KEY_REUSED", {
  status: 422,
  message: ({ dataset, key }) =>
    `A request for ${dataset} with the Idempotency-Key ${JSON.stringify(key)} came before, with other events; these were not kept`,
  hint: () => "Use a key of its own for each request.",
  solve: "Use a new `Idempotency-Key` for new events. The same one is for sending the same events again.",
});

export const pushBacklogFull: ErrorFactory<{ dataset: string; waiting: number; most: string; seconds: number }> =
  defineError("DATA_PUSH_BACKLOG_FULL", {
    status: 429,
    kind: "transient",
    message: ({ dataset, waiting, most }) =>
      `${waiting} events wait to become a version of ${dataset}, and at most ${most} may; these were not kept`,
    hint: ({ seconds }) =>
      `Send them again in ${seconds} s. If it lasts, see why the runs of the dataset's pipeline fail, or whether a server runs.`,
    solve:
      "Send the events again later. If it lasts, no run takes what waits: see why the runs of the pipeline fail, or start `esteira up`; `push: { backlog }` lets more wait.",
  });

export const pushedEventsTaken: ErrorFactory<{ dataset: string }> = defineError("DATA_PUSHED_EVENTS_TAKEN", {
  status: 409,
  kind: "transient",
  message: ({ dataset }) =>
    `Another run has made a version of ${dataset} with the same events; this one publishes nothing`,
  hint: () => "Nothing is lost and nothing is doubled; run the step again.",
  solve: "Run the step again: it takes the events that still wait.",
});

export const pushNoEvents: ErrorFactory<{ dataset: string }> = defineError("DATA_PUSH_NO_EVENTS", {
  status: 422,
  message: ({ dataset }) => `No event was pushed to ${dataset} yet, and no contract says which columns it has`,
  hint: ({ dataset }) => `Push the first events: POST /api/v1/datasets/${dataset}/events`,
  solve:
    "Push the first events, or give the step a contract, by which the empty dataset has columns. A dataset that has a version stays as it is.",
});
