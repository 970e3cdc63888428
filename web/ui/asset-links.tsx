import { Link } from "@tanstack/react-router";
import type { VersionReference } from "#api";
import { versionAddress } from "../routes/address.ts";
import { Icon, type IconName } from "./icon.tsx";
import { useLanguage } from "./language.tsx";

const ICONS: Readonly<Record<string, IconName>> = {
  data: "dataset",
  features: "features",
  notebook: "notebook",
  model: "model",
  code: "code",
  report: "report",
};
const LOADS: Readonly<Record<string, string>> = {
  data: "data",
  features: "data",
  model: "models",
  notebook: "models",
  code: "code",
  report: "data",
};

/** A version of an asset, leading to its page. */
export function VersionLink({ version }: { readonly version: VersionReference }) {
  const { name } = useLanguage();
  return (
    <Link
      to={versionAddress(version)}
      className={`chip load-${LOADS[version.kind] ?? "data"}`}
      title={`${name("assetKind", version.kind)} · ${version.digest}`}
    >
      <Icon name={ICONS[version.kind] ?? "dot"} size={13} />
      {version.asset} v{version.version}
      {version.role !== undefined && version.role !== "input" && (
        <span className="muted">{name("role", version.role)}</span>
      )}
    </Link>
  );
}

export function VersionLinks({ versions }: { readonly versions: readonly VersionReference[] }) {
  if (versions.length === 0) return <span className="muted">–</span>;
  return (
    <span className="chips">
      {versions.map((version) => (
        <VersionLink key={`${version.id}${version.role ?? ""}`} version={version} />
      ))}
    </span>
  );
}
