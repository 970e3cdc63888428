import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import embed, { type VisualizationSpec } from "vega-embed";
import { expressionInterpreter } from "vega-interpreter";
import type { DashboardTile } from "#api";
import { tileSpec } from "../models/tile.ts";
import { useLanguage } from "./language.tsx";
import { Problem } from "./page.tsx";
import "./chart.css";

/** Refuses every address: a specification comes from users, and its data are already here. */
const noLoads = {
  load: (address: string) => Promise.reject(new Error(address)),
  sanitize: (address: string) => Promise.reject(new Error(address)),
  http: (address: string) => Promise.reject(new Error(address)),
  file: (address: string) => Promise.reject(new Error(address)),
};

/** A tile drawn by Vega-Lite; expressions are interpreted, not compiled, so that no code is made of a user's text. */
export default function VegaTile({ tile }: { readonly tile: DashboardTile }) {
  const place = useRef<HTMLDivElement>(null);
  const [error, setError] = useState<unknown>();
  const { language } = useLanguage();
  const scheme = useComputedColorScheme("light");
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const style = getComputedStyle(document.documentElement);
    const color = (name: string): string => style.getPropertyValue(name).trim();
    let isGone = false;
    const drawn = embed(element, tileSpec(tile, color) as unknown as VisualizationSpec, {
      actions: false,
      ast: true,
      expr: expressionInterpreter,
      loader: noLoads,
      renderer: "svg",
      formatLocale: formatLocale(language),
      timeFormatLocale: timeLocale(language),
      tooltip: { theme: scheme === "dark" ? "dark" : "light" },
    });
    drawn.then(
      (result) => isGone && result.finalize(),
      (failure: unknown) => isGone || setError(failure),
    );
    return () => {
      isGone = true;
      void drawn.then(
        (result) => result.finalize(),
        () => undefined,
      );
    };
  }, [tile, scheme, language]);
  if (error !== undefined) return <Problem error={error} />;
  return <div ref={place} className="vega" role="img" aria-label={tile.title ?? tile.id} />;
}

function formatLocale(language: string) {
  const parts = new Intl.NumberFormat(language).formatToParts(1234567.5);
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? "";
  return { decimal: part("decimal"), thousands: part("group"), grouping: [3], currency: ["", ""] as [string, string] };
}

/** Names of months and days as the language has them, and its order of a date. */
function timeLocale(language: string) {
  const month = (style: "long" | "short") =>
    Array.from({ length: 12 }, (_, index) =>
      new Intl.DateTimeFormat(language, { month: style, timeZone: "UTC" })
        .format(Date.UTC(2024, index, 15))
        .replace(/\.$/, ""),
    );
  // 2024-01-07 is a Sunday.
  const day = (style: "long" | "short") =>
    Array.from({ length: 7 }, (_, index) =>
      new Intl.DateTimeFormat(language, { weekday: style, timeZone: "UTC" })
        .format(Date.UTC(2024, 0, 7 + index))
        .replace(/\.$/, ""),
    );
  const isDayFirst = !language.startsWith("en");
  return {
    dateTime: isDayFirst ? "%d/%m/%Y %H:%M:%S" : "%x, %X",
    date: isDayFirst ? "%d/%m/%Y" : "%-m/%-d/%Y",
    time: isDayFirst ? "%H:%M:%S" : "%-I:%M:%S %p",
    periods: ["AM", "PM"] as [string, string],
    days: day("long") as Week,
    shortDays: day("short") as Week,
    months: month("long") as Year,
    shortMonths: month("short") as Year,
  };
}

type Week = [string, string, string, string, string, string, string];
type Year = [string, string, string, string, string, string, string, string, string, string, string, string];
