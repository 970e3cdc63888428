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
      actions: false, ast: true, expr: expressionInterpreter, loader: noLoads, renderer: "svg", formatLocale: formatLocale(language), tooltip: { theme: scheme === "dark" ? "dark" : "light" },
    });
    drawn.then(
      (result) => isGone && result.finalize(),
      (failure: unknown) => isGone || setError(failure),
    );
    return () => {
      isGone = true;
      void drawn.then((result) => result.finalize(), () => undefined);
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
