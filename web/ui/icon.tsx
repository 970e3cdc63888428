const PATHS = {
  cycle: "M4 9a5 5 0 0 1 5-5h6a5 5 0 0 1 0 10H9a5 5 0 0 1-5-5ZM8 20l-3-3 3-3M5 17h12",
  pipeline:
    "M5 4v6a4 4 0 0 0 4 4h6a4 4 0 0 1 4 4v2M5 4m-2 0a2 2 0 1 0 4 0 2 2 0 1 0-4 0M19 20m-2 0a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
  dataset:
    "M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3ZM4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3",
  dashboard: "M4 20V10M10 20V4M16 20v-7M22 20H2",
  model: "M12 3l8 4.5v9L12 21l-8-4.5v-9L12 3ZM12 12l8-4.5M12 12v9M12 12L4 7.5",
  experiment: "M9 3h6M10 3v6L4.5 18.5A1.7 1.7 0 0 0 6 21h12a1.7 1.7 0 0 0 1.5-2.5L14 9V3M7.5 15h9",
  endpoint: "M5 12a7 7 0 0 1 14 0M8.5 12a3.5 3.5 0 0 1 7 0M12 12v8M8 20h8",
  alert: "M12 4 2.5 20h19L12 4ZM12 10v4M12 17v.5",
  release: "M12 15V3M7.5 7.5 12 3l4.5 4.5M4 15v4a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-4",
  approval: "M12 3l7 3v5c0 4.5-3 8.3-7 10-4-1.7-7-5.5-7-10V6l7-3ZM8.5 12l2.5 2.5 4.5-5",
  notebook: "M6 3h12a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1ZM9 3v18M3 7h4M3 12h4M3 17h4",
  capture: "M12 3v11M7.5 9.5 12 14l4.5-4.5M4 15v4a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-4",
  transform: "M4 6h10l-3-3M20 18H10l3 3M4 18h3l10-12h3",
  features: "M4 5h16M4 12h16M4 19h16M9 3v4M15 10v4M7 17v4",
  train:
    "M12 3v3M12 18v3M4.2 7.5l2.6 1.5M17.2 15l2.6 1.5M4.2 16.5 6.8 15M17.2 9l2.6-1.5M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7Z",
  test: "M9 4H6a1 1 0 0 0-1 1v15a1 1 0 0 0 1 1h12a1 1 0 0 0 1-1V5a1 1 0 0 0-1-1h-3M9 3h6v3H9ZM8.5 13.5l2.5 2.5 4.5-5",
  registry: "M4 8l8-4 8 4-8 4-8-4ZM4 12l8 4 8-4M4 16l8 4 8-4",
  approve: "M12 3l7 3v5c0 4.5-3 8.3-7 10-4-1.7-7-5.5-7-10V6l7-3ZM8.5 12l2.5 2.5 4.5-5",
  deploy: "M5 14c-1.5 1.3-2 5-2 5s3.700-.5 5-2M9 15l-3-3c1-4 4-8.500 13-9-.5 9-5 12-9 13ZM14.500 8.500h.010",
  production: "M5 12a7 7 0 0 1 14 0M8.500 12a3.500 3.500 0 0 1 7 0M12 12v8M8 20h8",
  retrain: "M20 11a8 8 0 0 0-14.500-3.500L3 10M3 4v6h6M4 13a8 8 0 0 0 14.500 3.500L21 14M21 20v-6h-6",
  commit: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM3 12h5M16 12h5",
  file: "M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1ZM14 3v5h5",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16",
  report: "M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1ZM9 17v-3M12 17v-6M15 17v-2",
  prediction: "M3 17l5-5 4 4 8-9M14 7h6v6",
  play: "M7 4.500v15l12-7.500-12-7.500Z",
  stop: "M6 6h12v12H6Z",
  resume: "M5 5v14M9 5.500v13l11-6.500-11-6.500Z",
  back: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  copy: "M9 9h11v11H9ZM5 15H4V4h11v1",
  check: "M4 12.500l5 5L20 6.500",
  cross: "M6 6l12 12M18 6 6 18",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 7v5l3.500 2",
  pause: "M8 5v14M16 5v14",
  skip: "M5 5l7 7-7 7M13 5l7 7-7 7",
  dot: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6Z",
  dash: "M6 12h12",
  bolt: "M13 3 5 13.500h6L10 21l9-11h-6.500L13 3Z",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM16 16l5 5",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2M12 20v2M4.900 4.900l1.400 1.400M17.700 17.700l1.400 1.400M2 12h2M20 12h2M4.900 19.100l1.400-1.400M17.700 6.300l1.400-1.400",
  moon: "M20 14.500A8.500 8.500 0 1 1 9.500 4a7 7 0 0 0 10.500 10.500Z",
  menu: "M4 6h16M4 12h16M4 18h16",
  keyboard: "M3 6h18v12H3ZM7 10h.010M11 10h.010M15 10h.010M7 14h10",
  chevron: "M9 5l7 7-7 7",
  down: "M5 9l7 7 7-7",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM3 12h18M12 3c3 3 4 6 4 9s-1 6-4 9c-3-3-4-6-4-9s1-6 4-9Z",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM4 21c0-4 3.500-6.500 8-6.500s8 2.500 8 6.500",
  quarantine: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM5.600 5.600l12.800 12.800",
  expand: "M4 9V4h5M20 15v5h-5M4 4l6 6M20 20l-6-6",
} as const;

export type IconName = keyof typeof PATHS;

/** True when there is a drawing of that name. */
export function isIconName(name: string): name is IconName {
  return name in PATHS;
}

/** A line drawing of 24 units; hidden from screen readers, so the text beside it must say everything. */
export function Icon({
  name,
  size = 18,
  className,
}: {
  readonly name: IconName;
  readonly size?: number;
  readonly className?: string;
}) {
  return (
    <svg
      className={className}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
