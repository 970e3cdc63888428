import { quoteWord } from "../shell-word.ts";

/** What a worker is started with on a host. */
export interface WorkerCommand {
  /** Program on the host: `esteira`, found by its login shell's PATH, or an absolute path. */
  readonly command: string;
  /** Options of `esteira worker`. */
  readonly words: readonly string[];
  /** Absolute, or below the user's home folder. */
  readonly folder: string;
}

/** What the script says first, before its worker says anything. */
export const SCRIPT_READY = "esteira-host-ready";
/** Exit code of a host that has no esteira. */
export const COMMAND_MISSING = 69;

/**
 * Runs a worker for as long as somebody holds the script's input: its first line is the token, which no list of
 * processes shows. A worker that an earlier, lost connection left is ended first: it holds the folder.
 */
export function workerScript({ command, words, folder }: WorkerCommand): string {
  const place = folder.startsWith("/") ? quoteWord(folder) : `"$HOME"/${quoteWord(folder)}`;
  return `umask 077
folder=${place}
mkdir -p "$folder" || exit 73
command -v ${quoteWord(command)} >/dev/null 2>&1 || { echo "there is no ${command.replaceAll(/[^\w./-]/g, "")} on the PATH of this host: $PATH" >&2; exit ${COMMAND_MISSING}; }
IFS= read -r ESTEIRA_TOKEN || exit 70
export ESTEIRA_TOKEN
isours() { tr '\\0' '\\n' <"/proc/$1/environ" 2>/dev/null | grep -qxF "ESTEIRA_WORKER_FOLDER=$folder"; }
if [ -r "$folder/host.pid" ]; then
  old=$(tr -cd 0-9 <"$folder/host.pid")
  if [ -n "$old" ] && isours "$old"; then
    kill -TERM "$old" 2>/dev/null
    tries=0
    while isours "$old" && [ $tries -lt 100 ]; do tries=$((tries+1)); sleep 0.1; done
    isours "$old" && kill -KILL "$old" 2>/dev/null
  fi
fi
ESTEIRA_WORKER_FOLDER=$folder
export ESTEIRA_WORKER_FOLDER
exec 3<&0
echo ${SCRIPT_READY}
${quoteWord(command)} worker --folder "$folder" ${words.map(quoteWord).join(" ")} </dev/null 3<&- &
worker=$!
echo $worker >"$folder/host.pid"
(
  while IFS= read -r line <&3; do :; done
  kill -TERM $worker 2>/dev/null
) <&3 >/dev/null 2>&1 &
reader=$!
exec 3<&-
wait $worker
code=$?
kill $reader 2>/dev/null
rm -f "$folder/host.pid"
exit $code
`;
}
