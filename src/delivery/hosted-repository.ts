import { setTimeout as delay } from "node:timers/promises";
import { EsteiraError, messageOf } from "#base";
import { GIT_SERVICES, type GitServer, type GitService } from "#executors";
import { repositoryMissing, serviceUnknown } from "./errors.ts";
import { describeProgress } from "./followed-run.ts";
import { ALIVE, FLUSH, PacketReader, toMessage, toPacket } from "./packet-line.ts";
import { type PushCommand, readPushHead } from "./push-commands.ts";
import { type PushedRepository, startPipelines } from "./push.ts";

const NO_COMMIT = /^0+$/;
const LOOK_EVERY_MS = 400;
const ALIVE_EVERY_MS = 5000;
/** Whoever looks longer looks elsewhere: the run goes on. */
const FOLLOWED_MS = 30 * 60_000;

export interface HostedRepositoryOptions {
  /** What a push starts; its `repository` is the bare one that is served. */
  readonly pushed: PushedRepository;
  readonly server: GitServer;
  /** Patterns of branches that only grow. */
  readonly protectedBranches: readonly string[];
  /** Of one push, compressed. */
  readonly largestPushBytes: number;
  /** Of all objects together. */
  readonly largestBytes: number;
}

/** One request of a client, whatever carries it. */
export interface HostedExchange {
  /** As the client's address has it: `greeter.git`. */
  readonly name: string;
  readonly protocol?: string | undefined;
  readonly input: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** The project's own repository, served to clients of git. */
export interface HostedRepository {
  /** What a client reads first. A push makes the repository. @throws DELIVERY_REPOSITORY_MISSING */
  advertise(request: {
    readonly name: string;
    readonly service: string;
    readonly protocol?: string | undefined;
  }): Promise<{ readonly service: GitService; readonly body: Buffer }>;
  /** Gives commits. @throws DELIVERY_REPOSITORY_MISSING, EXECUTORS_GIT_FAILED */
  fetch(exchange: HostedExchange): Promise<AsyncGenerator<Buffer>>;
  /**
   * Takes commits, starts the pipelines of what was pushed, and tells the client how they go until they have ended or
   * wait. `-o follow=no` ends the push at once.
   *
   * @throws DELIVERY_REPOSITORY_MISSING, DELIVERY_PUSH_INVALID, EXECUTORS_GIT_FAILED
   */
  receive(exchange: HostedExchange, pusher: string): Promise<AsyncGenerator<Buffer>>;
}

/** True for a service that a client may ask for. */
export function isGitService(name: string): name is GitService {
  return GIT_SERVICES.some((service) => service === name);
}

export function createHostedRepository(options: HostedRepositoryOptions): HostedRepository {
  const { server, pushed } = options;
  const { repository } = pushed;
  const assertNamed = (name: string): void => {
    if (name !== `${pushed.project}.git` && name !== pushed.project)
      throw repositoryMissing({ repository: name, known: `${pushed.project}.git` });
  };
  const assertThere = async (name: string): Promise<void> => {
    assertNamed(name);
    if (!(await server.exists(repository))) throw repositoryMissing({ repository: name, known: undefined });
  };
  return {
    async advertise({ name, service, protocol }) {
      assertNamed(name);
      if (!isGitService(service)) throw serviceUnknown({ service });
      if (service === "git-receive-pack") await server.create(repository, pushed.mainBranch);
      else await assertThere(name);
      const refs = await server.advertise(service, { repository, protocol });
      return { service, body: Buffer.concat([toPacket(`# service=${service}\n`), FLUSH, refs]) };
    },
    async fetch({ name, ...exchange }) {
      await assertThere(name);
      return server.upload({ repository, ...exchange });
    },
    async receive({ name, input, ...exchange }, pusher) {
      await assertThere(name);
      const head = await readPushHead(input);
      const free = options.largestBytes - (await server.sizeBytes(repository));
      const answer = server.receive(
        { repository, ...exchange, input: head.whole },
        {
          protectedBranches: options.protectedBranches,
          largestBytes: Math.min(options.largestPushBytes, free),
          pusher,
        },
      );
      const isTold = head.capabilities.has("side-band-64k");
      const follows = !head.options.includes("follow=no");
      return answerPush({ answer, commands: head.commands, isTold, follows, pusher, signal: exchange.signal }, pushed);
    },
  };
}

interface AnsweredPush {
  readonly answer: AsyncGenerator<Buffer>;
  readonly commands: readonly PushCommand[];
  /** The client shows what the server says beside the report. */
  readonly isTold: boolean;
  readonly follows: boolean;
  readonly pusher: string;
  readonly signal: AbortSignal;
}

/** Git's own answer, and before its end what became of the push here. */
async function* answerPush(push: AnsweredPush, pushed: PushedRepository): AsyncGenerator<Buffer> {
  const { answer, isTold } = push;
  const outer = new PacketReader();
  const report = new ReportReader();
  for await (const chunk of answer) {
    if (!isTold) {
      report.read(chunk);
      yield chunk;
      continue;
    }
    for (const packet of outer.push(chunk)) {
      // The end is held back: what is said behind it is not heard.
      if ("mark" in packet) continue;
      if (packet.payload[0] === 1) report.read(packet.payload.subarray(1));
      yield toPacket(packet.payload);
    }
  }
  const moved = push.commands.filter(({ ref, after }) => report.moved.has(ref) && !NO_COMMIT.test(after));
  const runs: string[] = [];
  for (const command of moved) {
    const lines = await announce(command, push.pusher, pushed, runs);
    if (isTold) yield* lines.map(toMessage);
  }
  if (!isTold) return;
  if (push.follows) yield* follow(runs, push.signal, pushed);
  yield FLUSH;
}

/** Starts what a moved ref starts; the push stands whatever becomes of that. */
async function announce(
  { before, after, ref }: PushCommand,
  pusher: string,
  pushed: PushedRepository,
  runs: string[],
): Promise<readonly string[]> {
  const [, kind, name] = /^refs\/(heads|tags)\/(.+)$/.exec(ref) ?? [];
  if (name === undefined) return [];
  const facts = { id: [ref, before, after].join(" "), commit: after, before, pusher, isSeen: true };
  try {
    const { json } = await startPipelines(
      kind === "tags" ? { ...facts, tag: name } : { ...facts, branch: name },
      pushed,
    );
    const started = json.pipelineRuns ?? [];
    runs.push(...started);
    if (started.length === 0) return [`esteira: no pipeline is started by this push of ${name}`];
    return started.map((id) => `esteira: pipeline run ${id}`);
  } catch (error) {
    const hint = error instanceof EsteiraError && error.hint !== undefined ? [`  ${error.hint}`] : [];
    return [`esteira: ${name} is pushed, and starts nothing: ${messageOf(error)}`, ...hint];
  }
}

/** Tells of each step when something became of it. The client may go at any time: the runs go on. */
async function* follow(
  runs: readonly string[],
  signal: AbortSignal,
  { store, clock }: PushedRepository,
): AsyncGenerator<Buffer> {
  const untilMs = clock.now() + FOLLOWED_MS;
  const told = new Set<string>();
  let saidMs = clock.now();
  const open = new Set(runs);
  while (open.size > 0 && !signal.aborted) {
    for (const id of open) {
      const { lines, isOver } = await describeProgress(store, id);
      const fresh = lines.filter((line) => !told.has(`${id} ${line}`));
      for (const line of fresh) told.add(`${id} ${line}`);
      if (fresh.length > 0) saidMs = clock.now();
      yield* fresh.map(toMessage);
      if (isOver) open.delete(id);
    }
    if (open.size === 0) return;
    if (clock.now() > untilMs) return void (yield toMessage("esteira: the pipelines go on; look at them on the page"));
    if (clock.now() - saidMs > ALIVE_EVERY_MS) {
      saidMs = clock.now();
      yield ALIVE;
    }
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Refs that git says it has moved. Source: gitprotocol-pack, "Report Status". */
class ReportReader {
  readonly moved: Set<string> = new Set();
  readonly #packets = new PacketReader();
  #isBroken = false;

  read(chunk: Uint8Array): void {
    if (this.#isBroken) return;
    try {
      for (const packet of this.#packets.push(chunk)) {
        const ref = "payload" in packet ? /^ok (\S+)\n?$/.exec(packet.payload.toString("utf8"))?.[1] : undefined;
        if (ref !== undefined) this.moved.add(ref);
      }
    } catch {
      // A client that asked for no report: what it moved is found as pushes are that nobody announced.
      this.#isBroken = true;
    }
  }
}
