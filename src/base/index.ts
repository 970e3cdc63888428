export { canonicalJson, type Json } from "./canonical-json.ts";
export { type Clock, systemClock } from "./clock.ts";
export { entryFile } from "./entry-file.ts";
export { createDigester, type Digest, digestOf, digestOfJson, isDigest, secretsEqual } from "./digest.ts";
export {
  defineError,
  definedErrors,
  type ErrorDefinition,
  type ErrorFactory,
  type ErrorKind,
  EsteiraError,
  isEsteiraError,
  messageOf,
} from "./error.ts";
export { isId, newId } from "./id.ts";
export { assertJsonDepth } from "./json-depth.ts";
export { type Log, silentLog } from "./log.ts";
export { isSignatureOf, type SignedMessage, signMessage } from "./message-signature.ts";
export { type Counter, createMetrics, type Histogram, type Metrics, type Reading } from "./metrics.ts";
export { nearestName } from "./nearest.ts";
export { formatQuantity } from "./quantity.ts";
export { rawJson } from "./raw-json.ts";
export {
  type FilePosition,
  formatProblems,
  type LocatedProblem,
  parseYaml,
  type ReadYaml,
  readYaml,
  type YamlDocument,
} from "./yaml-document.ts";
export { matchesPattern } from "./text-pattern.ts";
export { visibleText } from "./visible-text.ts";
