// How often the verdicts of trials are wrong, over seeded simulated trials:
// node bench/rollout-verdicts.ts [--trials 1000]
import { parseArgs } from "node:util";
import { rowsNeeded } from "../src/delivery/rollout/sample-size.ts";
import { FALSE_ABORT, FALSE_PROMOTION } from "../src/delivery/rollout/verdict.ts";
import { type Simulation, simulateTrials } from "../test/delivery/rollout/simulated-trial.ts";

const { values } = parseArgs({ options: { trials: { type: "string", default: "1000" } } });
const count = Number(values.trials);
const HALF = { canary: "50%", max_errors: "2%" };
const STEPS = { canary: ["1%", "10%", "50%"], max_errors: "2%" };
const LABELLED = { ...HALF, metric: "roc_auc", max_loss: 0.02 };
const rows = rowsNeeded("roc_auc", 0.02, {}) ?? 0;

type Case = Omit<Simulation, "seed"> & { readonly wrong: "promoted" | "aborted" | undefined; readonly share?: number };

const CASES: Readonly<Record<string, Case>> = {
  "equal (1 % fail in both)": { strategy: HALF, requests: 10_000, wrong: "aborted" },
  "equal, growing shares": { strategy: STEPS, requests: 30_000, look: 200, wrong: "aborted" },
  "never fails, as the stable one": {
    strategy: HALF,
    stable: { failing: 0 },
    candidate: { failing: 0 },
    requests: 4000,
    wrong: "aborted",
  },
  "fails always, 50 %": { strategy: HALF, candidate: { failing: 1 }, requests: 4000, wrong: "promoted" },
  "fails always, 10 %": {
    strategy: { ...HALF, canary: "10%" },
    candidate: { failing: 1 },
    requests: 4000,
    wrong: "promoted",
  },
  "fails in 30 %": { strategy: HALF, candidate: { failing: 0.3 }, requests: 4000, wrong: "promoted" },
  "fails at the limit (3 % beside 1 %)": {
    strategy: HALF,
    candidate: { failing: 0.03 },
    requests: 10_000,
    wrong: "promoted",
  },
  "fails beyond the limit (5 % beside 1 %)": {
    strategy: HALF,
    candidate: { failing: 0.05 },
    requests: 10_000,
    wrong: "promoted",
  },
  "slow (12 times)": { strategy: HALF, candidate: { medianMs: 60 }, requests: 4000, wrong: "promoted" },
  "biased (answers 0.3 higher)": { strategy: HALF, candidate: { bias: 0.3 }, requests: 4000, wrong: "promoted" },
  "no traffic": { strategy: HALF, requests: 0, wrong: "promoted" },
  "no labels": { strategy: LABELLED, requests: 6000, look: 1000, wrong: "promoted" },
  [`as good by late labels (needs ${rows} of each)`]: {
    strategy: LABELLED,
    requests: 2 * rows + 2000,
    look: 5000,
    labelledAfter: 500,
    wrong: "aborted",
    share: 0.1,
  },
  [`two points of AUC worse (needs ${rows} of each)`]: {
    strategy: LABELLED,
    candidate: { area: 0.73 },
    requests: 2 * rows + 2000,
    look: 5000,
    labelledAfter: 500,
    wrong: "promoted",
    share: 0.1,
  },
};

const COMPARED = { ab: "50%", max_errors: "2%", metric: "reward" };
const DRAWN = { bandit: "thompson", max_errors: "2%", metric: "reward" };
const COMPARISONS: Readonly<Record<string, Case>> = Object.fromEntries(
  Object.entries({ "A/B": COMPARED, bandit: DRAWN }).flatMap(([name, strategy]): [string, Case][] => {
    const facts = { strategy, requests: 10_000, look: 500, labelledAfter: 200, share: 0.3 };
    return [
      [`${name}: alike (30 % of the labels are 1)`, { ...facts, wrong: "promoted" }],
      [`${name}: alike, taken back`, { ...facts, wrong: "aborted" }],
      [`${name}: five points better`, { ...facts, candidate: { labelShare: 0.35 }, wrong: "aborted" }],
      [`${name}: five points worse`, { ...facts, candidate: { labelShare: 0.25 }, wrong: "promoted" }],
    ];
  }),
);

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`.padStart(8);
process.stdout.write(
  `${count} seeded trials each (of those with labels fewer); wrong is to be at most ${percent(FALSE_ABORT).trim()} for an abort by one check, ${percent(FALSE_PROMOTION).trim()} for a promotion\n\n` +
    `${"candidate".padEnd(50)} promoted  aborted     open    wrong  its requests: median, most; reasons\n`,
);
for (const [name, { wrong, share = 1, ...simulation }] of Object.entries({ ...CASES, ...COMPARISONS })) {
  const rates = simulateTrials(simulation, Math.max(10, Math.round(count * share)));
  const reasons = Object.entries(rates.reasons).map(([reason, found]) => `${reason} ${found}`);
  process.stdout.write(
    `${name.padEnd(50)} ${percent(rates.promoted)} ${percent(rates.aborted)} ${percent(rates.open)} ${percent(wrong === undefined ? 0 : rates[wrong])}  ${rates.medianRequests}, ${rates.mostRequests}; ${reasons.join(", ")}\n`,
  );
}
