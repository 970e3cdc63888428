import { Link } from "@tanstack/react-router";
import { useLanguage } from "./language.tsx";

interface ShownOfProps {
  readonly shown: number;
  readonly total: number;
  /** Where all of them are. */
  readonly to?: string;
}

/** Says how many of a list are shown, when they are not all. */
export function ShownOf({ shown, total, to }: ShownOfProps) {
  const { t } = useLanguage();
  if (shown >= total) return null;
  const text = t("list.shownOf", { shown, total });
  return (
    <p className="panel-note" role="note">
      {to === undefined ? text : <Link to={to}>{text}</Link>}
    </p>
  );
}
