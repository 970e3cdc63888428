/** True when the service can do its work. */
export function isHealthy() {
  return true;
}
