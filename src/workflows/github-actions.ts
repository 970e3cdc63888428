/**
 * Actions whose work is done on GitHub itself: on issues, labels, releases, pages, or with its tokens for other
 * services. A job that uses one was never meant for another machine.
 */
const ON_GITHUB: ReadonlySet<string> = new Set([
  "actions-cool/issues-helper",
  "actions/add-to-project",
  "actions/create-github-app-token",
  "actions/create-release",
  "actions/delete-package-versions",
  "actions/dependency-review-action",
  "actions/deploy-pages",
  "actions/first-interaction",
  "actions/labeler",
  "actions/publish-immutable-action",
  "actions/stale",
  "actions/upload-release-asset",
  "amannn/action-semantic-pull-request",
  "aws-actions/configure-aws-credentials",
  "azure/login",
  "changesets/action",
  "cla-assistant/github-action",
  "contributor-assistant/github-action",
  "dawidd6/action-download-artifact",
  "dependabot/fetch-metadata",
  "dessant/lock-threads",
  "fastify/github-action-merge-dependabot",
  "github/codeql-action/analyze",
  "github/codeql-action/autobuild",
  "github/codeql-action/init",
  "google-github-actions/auth",
  "google-github-actions/release-please-action",
  "googleapis/release-please-action",
  "jamesives/github-pages-deploy-action",
  "js-devtools/npm-publish",
  "lee-dohm/no-response",
  "lewagon/wait-on-check-action",
  "mergifyio/gha-mergify-ci",
  "mheap/github-action-required-labels",
  "micnncim/action-label-syncer",
  "ncipollo/release-action",
  "ossf/scorecard-action",
  "peaceiris/actions-gh-pages",
  "peter-evans/create-issue-from-file",
  "peter-evans/create-or-update-comment",
  "peter-evans/create-pull-request",
  "peter-evans/enable-pull-request-automerge",
  "peter-evans/repository-dispatch",
  "pozil/auto-assign-issue",
  "py-cov-action/python-coverage-comment-action",
  "pypa/gh-action-pypi-publish",
  "release-drafter/release-drafter",
  "release-drafter/release-drafter/autolabeler",
  "rust-lang/crates-io-auth-action",
  "sigstore/gh-action-sigstore-python",
  "slsa-framework/slsa-github-generator",
  "softprops/action-gh-release",
  "suzuki-shunsuke/pinact-action",
  "svenstaro/upload-release-action",
  "thollander/actions-comment-pull-request",
  "tibdex/github-app-token",
]);

/** Actions that only report to GitHub, or look after its machines: the steps around them do their work without. */
const PASSED_OVER: Readonly<Record<string, string>> = {
  "actions/attest": "an attestation is kept by GitHub",
  "actions/attest-build-provenance": "an attestation is kept by GitHub",
  "actions/attest-sbom": "an attestation is kept by GitHub",
  "actions/configure-pages": "there are no pages of GitHub here",
  "actions/dependency-graph-action": "the graph of dependencies is kept by GitHub",
  "codecov/test-results-action": "nothing is sent",
  "dorny/test-reporter": "reports go to GitHub",
  "enricomi/publish-unit-test-result-action": "reports go to GitHub",
  "github/codeql-action/upload-sarif": "reports go to GitHub",
  "jlumbroso/free-disk-space": "this machine keeps what it has",
  "marocchino/sticky-pull-request-comment": "comments stand on GitHub",
  "mikepenz/action-junit-report": "reports go to GitHub",
  "rollbar/github-deploy-action": "nothing is sent",
  "slackapi/slack-github-action": "nothing is sent",
  "step-security/harden-runner": "steps run in esteira's isolation",
  "styfle/cancel-workflow-action": "runs on GitHub are not touched",
};

/** Actions that are none of Docker's kind, but start it. */
const STARTS_DOCKER: ReadonlySet<string> = new Set([
  "addnab/docker-run-action",
  "docker/bake-action",
  "docker/build-push-action",
  "docker/login-action",
  "docker/metadata-action",
  "docker/setup-buildx-action",
  "docker/setup-qemu-action",
  "pypa/cibuildwheel",
]);

export function startsDocker(name: string): boolean {
  return STARTS_DOCKER.has(name);
}

/** Whether an action works on GitHub alone. @param name `owner/name/path` in small letters */
export function worksOnGithub(name: string): boolean {
  return ON_GITHUB.has(name);
}

/** Why an action is passed over here; undefined when it is not. @param name `owner/name/path` in small letters */
export function passedOver(name: string): string | undefined {
  return Object.hasOwn(PASSED_OVER, name) ? PASSED_OVER[name] : undefined;
}
