import type { ReleaseChange } from "../models/release-changes.ts";
import { useLanguage } from "./language.tsx";
import { Amount } from "./text.tsx";

/** Assets that differ between two releases, with both versions: `Model delay v2 → v1`. */
export function ReleaseChanges({ changes }: { readonly changes: readonly ReleaseChange[] }) {
  const { name } = useLanguage();
  return (
    <ul className="release-changes">
      {changes.map((change) => (
        <li key={`${change.kind} ${change.asset}`}>
          <span className="muted">{name("assetKind", change.kind)}</span> <b>{change.asset}</b>{" "}
          <Amount
            name={`release.change.${change.asset}`}
            value={`${change.from?.version ?? ""}>${change.to?.version ?? ""}`}
          >
            {change.from !== undefined && `v${change.from.version} → `}
            {change.to === undefined ? "–" : `v${change.to.version}`}
          </Amount>
        </li>
      ))}
    </ul>
  );
}
