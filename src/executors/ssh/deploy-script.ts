import { quoteWord } from "../shell-word.ts";

export interface ScriptFacts {
  /** Absolute folder on the host. */
  readonly folder: string;
  readonly deploymentId: string;
  /** Name of the release's folder. */
  readonly release: string;
  readonly restart: string | undefined;
  readonly check: string | undefined;
  readonly checkSeconds: number;
  readonly keep: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** Takes an archive from its input; a folder under its final name is whole. */
export function uploadScript({ folder, deploymentId, release }: ScriptFacts): string {
  return `set -eu
umask 022
mkdir -p ${quoteWord(`${folder}/releases`)}
cd ${quoteWord(`${folder}/releases`)}
if [ -d ${quoteWord(release)} ]; then cat >/dev/null; exit 0; fi
rm -rf .${deploymentId}
mkdir .${deploymentId}
tar -xf - -C .${deploymentId}
mv -T .${deploymentId} ${quoteWord(release)} || { rm -rf .${deploymentId}; [ -d ${quoteWord(release)} ]; }
`;
}

/** What `current` leads to, without a newline; nothing while there is none. */
export function currentScript(folder: string): string {
  return `readlink ${quoteWord(`${folder}/current`)} | sed 's,^releases/,,' | tr -d '\\n'\n`;
}

/**
 * Makes a release the current one, restarts what runs of it, and goes back when it is not well. It goes on when the
 * one who started it is gone, and only one of them works at a time: what it leaves is the old release or the new one.
 */
export function switchScript(facts: ScriptFacts): string {
  const { folder, deploymentId, release, restart, check, checkSeconds, keep, environment } = facts;
  const variables = Object.entries(environment).map(([name, value]) => `export ${name}=${quoteWord(value)}`);
  return `trap '' HUP PIPE
cd ${quoteWord(folder)} || exit 70
exec 9>.lock
flock -w 300 9 || { echo "another deployment holds ${folder}/.lock"; exit 75; }
log=.deploy.log
to=${quoteWord(`releases/${release}`)}
[ -d "$to" ] || { echo "$to is not there"; exit 70; }
before=$(readlink current || true)
lead() { ln -sfn "$1" .current.${deploymentId} && mv -T .current.${deploymentId} current; }
restart() { ${restart === undefined ? ":" : `(trap - HUP PIPE; cd current && ${variables.map((one) => `${one}; `).join("")}exec 9>&-; sh -c ${quoteWord(restart)}) </dev/null`}; }
well() {
${
  check === undefined
    ? "  return 0"
    : `  until_s=$(( $(date +%s) + ${checkSeconds} ))
  while :; do
    (trap - HUP PIPE; cd current && ${variables.map((one) => `${one}; `).join("")}exec 9>&-; timeout ${checkSeconds} sh -c ${quoteWord(check)}) </dev/null && return 0
    [ "$(date +%s)" -ge "$until_s" ] && return 1
    sleep 0.2
  done`
}
}
{
  if lead "$to" && restart && well; then result=0
  else
    result=65
    if [ -n "$before" ] && [ "$before" != "$to" ] && [ -d "$before" ]; then lead "$before"; restart; echo "went back to $before"
    elif [ -z "$before" ]; then rm -f current; echo "there was no release before"
    fi
  fi
  if [ "$result" = 0 ]; then
    touch "$to"
    ls -1t releases | tail -n +${keep + 1} | while read -r old; do
      [ "releases/$old" = "$to" ] || [ "releases/$old" = "$before" ] || rm -rf "releases/$old"
    done
  fi
} >"$log" 2>&1
tail -c 8000 "$log"
exit "$result"
`;
}

/** Takes the release out of service. */
export function removeScript(folder: string, stop: string | undefined): string {
  const ended = stop === undefined ? ":" : `(cd current && sh -c ${quoteWord(stop)}) </dev/null`;
  return `trap '' HUP PIPE
cd ${quoteWord(folder)} || exit 0
[ -e current ] || exit 0
${ended} || exit 65
rm -f current
`;
}
