import type { MessageKey } from "../messages/messages.ts";
import type { IconName } from "../ui/icon.tsx";

export interface NavigationItem {
  readonly to: string;
  readonly label: MessageKey;
  readonly icon: IconName;
  /** Second key of the shortcut: `g` and then this. */
  readonly shortcut: string;
}

export interface NavigationGroup {
  readonly label?: MessageKey;
  readonly items: readonly NavigationItem[];
}

/** The side bar. A new area adds its line here and its routes in `router.tsx`. */
export const NAVIGATION: readonly NavigationGroup[] = [
  { items: [{ to: "/", label: "nav.cycle", icon: "cycle", shortcut: "h" }] },
  {
    label: "nav.build",
    items: [
      { to: "/pipelines", label: "nav.pipelines", icon: "pipeline", shortcut: "p" },
      { to: "/datasets", label: "nav.datasets", icon: "dataset", shortcut: "d" },
      { to: "/dashboards", label: "nav.dashboards", icon: "dashboard", shortcut: "b" },
    ],
  },
  {
    label: "nav.learn",
    items: [
      { to: "/models", label: "nav.models", icon: "model", shortcut: "m" },
      { to: "/experiments", label: "nav.experiments", icon: "experiment", shortcut: "x" },
      { to: "/registry", label: "nav.registry", icon: "registry", shortcut: "y" },
    ],
  },
  {
    label: "nav.operate",
    items: [
      { to: "/endpoints", label: "nav.endpoints", icon: "endpoint", shortcut: "e" },
      { to: "/alerts", label: "nav.alerts", icon: "alert", shortcut: "a" },
      { to: "/releases", label: "nav.releases", icon: "release", shortcut: "r" },
      { to: "/approvals", label: "nav.approvals", icon: "approval", shortcut: "o" },
    ],
  },
];
