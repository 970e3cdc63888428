import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, it } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { SMTPServer } from "smtp-server";
import { isEsteiraError } from "#base";
import { listAlerts, listNotices } from "#metadata-store/monitoring";
import { describeStores, temporaryFolder } from "../setup/stores.ts";
import { openWebhookTarget } from "../setup/webhook-target.ts";
import { KEY, makeFlights, MONDAY_MS, startMonitoring, type TestMonitoring, WEEK_MS } from "./watched.ts";

const SECRETS: Readonly<Record<string, string>> = {
  SMTP: "pa55-word",
  AM: "am-t0ken",
  PAGER: "R0UTINGKEY00000000000000000000AB",
};

interface Received {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Takes what its documented form allows, and answers 400 with the first thing that it does not. */
async function openReceiver(check: (body: unknown) => void, status = 200) {
  const received: Received[] = [];
  const refused: string[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      try {
        assert.equal(request.method, "POST");
        assert.match(request.headers["content-type"] ?? "", /^application\/json/);
        const body = JSON.parse(Buffer.concat(pieces).toString()) as Record<string, unknown>;
        check(body);
        received.push({ path: request.url ?? "", authorization: request.headers.authorization, body });
        response.statusCode = status;
      } catch (error) {
        refused.push(String(error));
        response.statusCode = 400;
      }
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close());
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  return { url, received, refused };
}

const isTime = (value: unknown): boolean =>
  typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value);
const keysOf = (value: unknown): readonly string[] => Object.keys(value as object);
const allows = (value: unknown, known: readonly string[]): void =>
  assert.deepEqual(
    keysOf(value).filter((key) => !known.includes(key)),
    [],
  );

/** Alertmanager's openapi.yaml, postableAlerts: labels are required, all values texts. */
function checkAlertmanager(body: unknown): void {
  assert.ok(Array.isArray(body) && body.length > 0);
  for (const alert of body as Record<string, unknown>[]) {
    allows(alert, ["startsAt", "endsAt", "annotations", "labels", "generatorURL"]);
    assert.ok(isTime(alert["startsAt"]) && isTime(alert["endsAt"]));
    for (const set of [alert["labels"], alert["annotations"]])
      for (const [name, value] of Object.entries(set as object)) {
        assert.match(name, /^[a-zA-Z_][a-zA-Z0-9_]*$/);
        assert.ok(typeof value === "string" && value !== "", name);
      }
    assert.ok("alertname" in (alert["labels"] as object));
  }
}

/** PagerDuty's Events API v2. */
function checkPagerduty(body: unknown): void {
  const event = body as Record<string, unknown>;
  allows(event, ["routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"]);
  assert.equal(event["routing_key"], SECRETS["PAGER"]);
  assert.ok(["trigger", "acknowledge", "resolve"].includes(String(event["event_action"])));
  assert.ok(typeof event["dedup_key"] === "string" && event["dedup_key"].length <= 255);
  if (event["event_action"] !== "trigger") return;
  const payload = event["payload"] as Record<string, unknown>;
  allows(payload, ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"]);
  assert.ok(typeof payload["summary"] === "string" && payload["summary"].length <= 1024);
  assert.ok(typeof payload["source"] === "string" && payload["source"] !== "");
  assert.ok(["critical", "error", "warning", "info"].includes(String(payload["severity"])));
  assert.ok(isTime(payload["timestamp"]));
}

/** Slack's incoming webhooks: a text, blocks of known types within their lengths. */
function checkSlack(body: unknown): void {
  const message = body as Record<string, unknown>;
  allows(message, ["text", "blocks"]);
  assert.ok(typeof message["text"] === "string" && !/[<>]/.test(message["text"]));
  const [header, section, context] = message["blocks"] as Record<string, unknown>[];
  const textOf = (block: unknown): Record<string, unknown> =>
    (block as Record<string, unknown>)["text"] as Record<string, unknown>;
  assert.deepEqual([header?.["type"], textOf(header)["type"]], ["header", "plain_text"]);
  assert.ok(String(textOf(header)["text"]).length <= 150);
  assert.deepEqual([section?.["type"], textOf(section)["type"]], ["section", "mrkdwn"]);
  assert.ok(String(textOf(section)["text"]).length <= 3000);
  assert.equal(context?.["type"], "context");
}

interface Mailed {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly isSecure: boolean;
}

/** A mail server that speaks SMTP as the RFC has it; with a certificate it wants people to sign in. */
async function openMailServer(tls?: { readonly key: Buffer; readonly cert: Buffer }): Promise<{
  readonly port: number;
  readonly mails: Mailed[];
}> {
  const mails: Mailed[] = [];
  const server = new SMTPServer({
    ...tls,
    ...(tls === undefined ? { disabledCommands: ["STARTTLS", "AUTH"], authOptional: true } : {}),
    onAuth({ username, password }, _session, done) {
      if (username === "esteira" && password === SECRETS["SMTP"]) done(null, { user: username });
      else done(new Error("wrong password"));
    },
    onData(stream, { envelope, secure }, done) {
      void (async () => {
        const pieces: Uint8Array[] = [];
        for await (const piece of stream) pieces.push(piece as Uint8Array);
        const { mailFrom, rcptTo } = envelope;
        mails.push({
          from: mailFrom === false ? "" : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          text: Buffer.concat(pieces).toString(),
          isSecure: secure,
        });
        done();
      })();
    },
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => server.close());
  const address = server.server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0, mails };
}

const DRIFT = "monitors:\n  drift: { drift: { columns: [distance] } }\n";
const files = (notify: string): Map<string, string> =>
  new Map([["monitors/delay.yaml", `endpoint: delay\n${notify}${DRIFT}`]]);

/** A week that drifted, then one that did not. */
async function openAndClose(test: TestMonitoring, between: () => Promise<void>): Promise<string> {
  await test.play(0, makeFlights(600, { seed: 5, shift: 900 }), { labels: false });
  await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
  await test.monitoring.tick();
  await between();
  await test.play(1, makeFlights(600, { seed: 6 }), { labels: false });
  await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 2 * WEEK_MS });
  await test.monitoring.tick();
  const [alert] = await test.store.read((transaction) => listAlerts(transaction, { project: "p" }));
  assert.equal(alert?.state, "closed");
  return alert.id;
}

describeStores("routes of alerts", (kind) => {
  it("tell each receiver in its own form that an alert opened and closed, with secrets that stand nowhere", async () => {
    const [alertmanager, pagerduty, slack, plain, mail] = [
      await openReceiver(checkAlertmanager),
      await openReceiver(checkPagerduty, 202),
      await openReceiver(checkSlack),
      await openWebhookTarget(),
      await openMailServer(),
    ];
    const secrets: Readonly<Record<string, string>> = { ...SECRETS, SLACK: `${slack.url}/services/T0/B0/s3cret-path` };
    let shiftMs = 0;
    const test = await startMonitoring(kind, {
      clock: { now: () => Date.now() + shiftMs, monotonic: () => performance.now() },
      secret: (name) => secrets[name],
      routes: {
        url: "https://esteira.example/",
        default: ["am", "pager", "chat", "hook", "mail"],
        routes: {
          am: { alertmanager: `${alertmanager.url}/`, token: "AM", labels: { team: "ml" } },
          pager: { pagerduty: "PAGER", address: `${pagerduty.url}/v2/enqueue`, severity: "critical" },
          chat: { slack: "SLACK" },
          hook: { webhook: plain.url },
          mail: {
            email: {
              host: "127.0.0.1",
              port: mail.port,
              security: "none",
              from: "esteira@example.org",
              to: ["ana@example.org", "bea@example.org"],
            },
          },
        },
      },
    });
    await test.monitoring.saveMonitors("p", files(""));
    const id = await openAndClose(test, async () => {
      // An Alertmanager forgets: it is told again while the alert is open, nobody else is.
      shiftMs += 61_000;
      await test.monitoring.tick();
    });
    shiftMs += 61_000;
    await test.monitoring.tick();
    for (const { refused } of [alertmanager, pagerduty, slack]) assert.deepEqual(refused, []);

    assert.equal(alertmanager.received.length, 3);
    const [first, second, third] = alertmanager.received.map(({ path, authorization, body }) => {
      assert.deepEqual([path, authorization], ["/api/v2/alerts", "Bearer am-t0ken"]);
      return (body as unknown as { labels: object; startsAt: string; endsAt: string; generatorURL: string }[])[0];
    });
    assert.deepEqual(first?.labels, {
      team: "ml",
      alertname: "delay.drift",
      service: "esteira",
      project: "p",
      environment: "production",
      endpoint: "delay",
      metric: "drift.wasserstein",
      subject: "distance",
    });
    assert.deepEqual([second?.labels, third?.labels], [first.labels, first.labels]);
    assert.ok(Date.parse(first.endsAt) > Date.now() && Date.parse(second?.endsAt ?? "") > Date.parse(first.endsAt));
    assert.ok(Date.parse(third?.endsAt ?? "") <= Date.now() + shiftMs);
    assert.equal(first.generatorURL, `https://esteira.example/alerts?alert=${id}`);

    assert.deepEqual(
      pagerduty.received.map(({ path, body }) => [path, body["event_action"], body["dedup_key"]]),
      [
        ["/v2/enqueue", "trigger", id],
        ["/v2/enqueue", "resolve", id],
      ],
    );
    assert.deepEqual(
      slack.received.map(({ path, body }) => [path, body["text"]]),
      [
        ["/services/T0/B0/s3cret-path", "[open] production/delay: delay.drift distance"],
        ["/services/T0/B0/s3cret-path", "[closed] production/delay: delay.drift distance"],
      ],
    );
    assert.deepEqual(
      plain.received.map(({ headers, body }) => [
        headers["x-esteira-alert"],
        (JSON.parse(body) as { type: string }).type,
      ]),
      [
        [id, "alert.opened"],
        [id, "alert.closed"],
      ],
    );
    assert.deepEqual(
      mail.mails.map(({ from, to }) => [from, to]),
      Array.from({ length: 2 }, () => ["esteira@example.org", ["ana@example.org", "bea@example.org"]]),
    );
    const [opened = "", closed = ""] = mail.mails.map(({ text }) => text.replaceAll("\r\n", "\n"));
    assert.match(opened, /^Subject: \[open\] production\/delay: delay\.drift distance$/m);
    assert.match(opened, new RegExp(`^Message-ID: <${id}\\.opened@example\\.org>$`, "m"));
    assert.match(opened, /Columns: distance\./);
    assert.match(closed, new RegExp(`^In-Reply-To: <${id}\\.opened@example\\.org>$`, "m"));

    const notices = await test.store.read((transaction) => listNotices(transaction, id));
    assert.deepEqual(new Set(notices.map(({ state }) => state)), new Set(["delivered"]));
    assert.equal(notices.length, 10);
    const stored = JSON.stringify([
      notices,
      await test.store.read((transaction) => listAlerts(transaction, { project: "p" })),
    ]);
    assert.doesNotMatch(stored, /s3cret-path|am-t0ken|R0UTING/);
  });

  it("try again what a receiver was too busy for, and say what is missing without the secret", async () => {
    let isDown = true;
    const busy = await openWebhookTarget(() => (isDown ? 429 : 200));
    let shiftMs = 0;
    const test = await startMonitoring(kind, {
      clock: { now: () => Date.now() + shiftMs, monotonic: () => performance.now() },
      secret: (name) => (name === "GONE" ? "http://10.9.9.9/services/s3cret-path" : undefined),
      routes: {
        default: [],
        routes: {
          pager: { pagerduty: "PAGER-KEY", address: busy.url, severity: "error" },
          hook: { webhook: busy.url },
          chat: { slack: "GONE" },
        },
      },
    });
    await test.monitoring.saveMonitors("p", files("notify: [pager, hook, chat]\n"));
    const id = await openAndClose(test, async () => {
      isDown = false;
      shiftMs += 60_000;
      await test.monitoring.tick();
    });
    assert.deepEqual(
      busy.received.map(({ body }) => (JSON.parse(body) as { type: string }).type),
      ["alert.opened", "alert.opened", "alert.closed"],
    );
    const notices = await test.store.read((transaction) => listNotices(transaction, id));
    const errorOf = (target: string): string =>
      notices.find((notice) => notice.target === target && notice.event === "opened")?.lastError ?? "";
    assert.match(errorOf("route:pager"), /ESTEIRA_SECRET_PAGER_KEY/);
    assert.match(errorOf("route:chat"), /10\.9\.9\.9 is refused|not a public address/);
    assert.doesNotMatch(JSON.stringify(notices), /s3cret-path/);
  });

  it("send mail over TLS with a password, and nothing to a server that offers none", async () => {
    const folder = await temporaryFolder();
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
    const names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate];
    execFileSync("openssl", [...options.split(" "), ...names], { stdio: "ignore" });
    const tls = { key: await readFile(key), cert: await readFile(certificate) };
    const known = getCACertificates("default");
    setDefaultCACertificates([...known, tls.cert.toString()]);
    after(() => setDefaultCACertificates(known));
    const [safe, bare] = [await openMailServer(tls), await openMailServer()];
    const email = {
      host: "localhost",
      security: "starttls" as const,
      user: "esteira",
      password: "SMTP",
      from: "esteira@example.org",
      to: ["ana@example.org"],
    };
    const test = await startMonitoring(kind, {
      secret: (name) => (name === "WRONG" ? "wrong" : SECRETS[name]),
      routes: {
        default: [],
        routes: {
          safe: { email: { ...email, port: safe.port } },
          wrong: { email: { ...email, port: safe.port, password: "WRONG" } },
          bare: { email: { ...email, port: bare.port } },
        },
      },
    });
    assert.equal((await test.monitoring.testRoute({ project: "p", name: "safe" })).length, 2);
    assert.deepEqual(
      safe.mails.map(({ isSecure }) => isSecure),
      [true, true],
    );
    for (const name of ["wrong", "bare"])
      await assert.rejects(test.monitoring.testRoute({ project: "p", name }), (error) => {
        assert.ok(isEsteiraError(error, "MONITORING_ROUTE_FAILED"));
        assert.match(error.message, name === "wrong" ? /wrong password|Invalid login|535/ : /TLS|STARTTLS/i);
        return true;
      });
    assert.deepEqual([safe.mails.length, bare.mails.length], [2, 0]);
  });

  it("are tested one by one, and refused where a monitor file names one that is not there", async () => {
    const pagerduty = await openReceiver(checkPagerduty, 202);
    const wrong = await openReceiver(() => assert.fail("no"));
    const test = await startMonitoring(kind, {
      secret: (name) => SECRETS[name],
      routes: {
        default: [],
        routes: {
          pager: { pagerduty: "PAGER", address: pagerduty.url, severity: "info" },
          wrong: { webhook: wrong.url },
        },
      },
    });
    assert.deepEqual(await test.monitoring.testRoute({ project: "p", name: "pager" }), [
      { route: "pager", event: "opened", status: 202 },
      { route: "pager", event: "closed", status: 202 },
    ]);
    assert.deepEqual(
      pagerduty.received.map(({ body }) => body["event_action"]),
      ["trigger", "resolve"],
    );
    await assert.rejects(test.monitoring.testRoute({ project: "p", name: "wrong" }), (error) => {
      assert.ok(isEsteiraError(error, "MONITORING_ROUTE_FAILED"));
      assert.match(error.message, /it answered 400/);
      return true;
    });
    await assert.rejects(test.monitoring.testRoute({ project: "p", name: "toString" }), (error) =>
      isEsteiraError(error, "MONITORING_ROUTE_UNKNOWN"),
    );
    await assert.rejects(test.monitoring.saveMonitors("p", files("notify: [pagr]\n")), (error) => {
      assert.ok(isEsteiraError(error, "MONITORING_MONITOR_INVALID"));
      assert.match(error.message, /^monitors\/delay\.yaml:2:1: .*did you mean "pager"\?/);
      return true;
    });
  });
});
