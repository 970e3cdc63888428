/** What a secret looks like. Where `secret` is a capture group, only that part is the secret. */
export interface SecretRule {
  readonly name: string;
  readonly description: string;
  readonly pattern: RegExp;
  /** The captured text must look random: at least this many bits per character. */
  readonly minimumEntropy?: number;
}

/** Formats as their issuers document them; each pattern is global and captures the secret in group 1. */
export const SECRET_RULES: readonly SecretRule[] = [
  { name: "aws-access-key", description: "an AWS access key", pattern: /\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b/g },
  {
    name: "aws-secret-key",
    description: "an AWS secret key",
    pattern: /aws.{0,20}?(?:secret|private).{0,20}?["'=:\s]([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/gi,
    minimumEntropy: 3.5,
  },
  {
    name: "github-token",
    description: "a GitHub token",
    pattern: /\b(gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b/g,
  },
  {
    name: "gitlab-token",
    description: "a GitLab token",
    pattern: /\b(gl(?:pat|dt|rt|ptt|ft|oas)-[A-Za-z0-9_-]{20,})/g,
  },
  {
    name: "slack-token",
    description: "a Slack token or webhook",
    pattern: /(xox[abposr]-[A-Za-z0-9-]{10,}|hooks\.slack\.com\/services\/[A-Za-z0-9/]{40,})/g,
  },
  { name: "stripe-key", description: "a Stripe key", pattern: /\b((?:sk|rk)_(?:live|test)_[A-Za-z0-9]{20,})\b/g },
  { name: "google-api-key", description: "a Google API key", pattern: /\b(AIza[A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])/g },
  {
    name: "google-service-account",
    description: "a Google service account key",
    pattern: /("private_key_id"\s*:\s*"[0-9a-f]{40}")/g,
  },
  {
    name: "private-key",
    description: "a private key",
    pattern: /(-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----)/g,
  },
  {
    name: "jwt",
    description: "a JSON Web Token",
    pattern: /\b(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})/g,
  },
  { name: "npm-token", description: "an npm token", pattern: /\b(npm_[A-Za-z0-9]{36})\b/g },
  { name: "pypi-token", description: "a PyPI token", pattern: /\b(pypi-AgE[A-Za-z0-9_-]{50,})/g },
  { name: "huggingface-token", description: "a Hugging Face token", pattern: /\b(hf_[A-Za-z0-9]{34,})\b/g },
  {
    name: "openai-key",
    description: "an OpenAI or Anthropic key",
    pattern: /\b(sk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{32,})/g,
    minimumEntropy: 3.5,
  },
  { name: "databricks-token", description: "a Databricks token", pattern: /\b(dapi[0-9a-f]{32}(?:-\d)?)\b/g },
  { name: "azure-storage-key", description: "an Azure storage key", pattern: /AccountKey=([A-Za-z0-9+/]{86}==)/g },
  { name: "sendgrid-key", description: "a SendGrid key", pattern: /\b(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})/g },
  {
    name: "url-password",
    description: "a password in an address",
    pattern: /\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/'"]+:([^\s:@/'"${}]{3,})@[^\s/'"]+/gi,
  },
  {
    name: "bearer-token",
    description: "a bearer token",
    pattern: /\bbearer\s+([A-Za-z0-9_\-.=+/]{24,})/gi,
    minimumEntropy: 3.5,
  },
  {
    name: "assigned-secret",
    description: "a secret assigned in plain text",
    pattern:
      /(?:password|passwd|pwd|secret|token|api_?key|access_?key|auth_?key|credential)s?["']?\]?\s*(?:[:=]|\s=\s)\s*[rbu]?["']([^"'\s]{8,})["']/gi,
    minimumEntropy: 3,
  },
];

/** Values that stand for a secret in examples and configuration. */
export const PLACEHOLDER: RegExp =
  /^(?:<.*>|\$\{?.*|\{.*\}|x{3,}|\*{3,}|\.{3,}|secret:.*|(?:your|my|the|example|dummy|fake|test|change|placeholder|insert|replace)[-_ ]?.*|.*(?:example|placeholder|changeme).*)$/i;
