interface Unit {
  /** Of the base unit of its quantity. */
  readonly factor: number;
  /** In the base unit, where it does not begin at 0. */
  readonly offset?: number;
}

/** Quantities with their units, in SI or as defined by it exactly (NIST SP 811, appendix B). */
const QUANTITIES: readonly Readonly<Record<string, Unit>>[] = [
  {
    m: { factor: 1 },
    km: { factor: 1000 },
    cm: { factor: 0.01 },
    mm: { factor: 0.001 },
    in: { factor: 0.0254 },
    ft: { factor: 0.3048 },
    yd: { factor: 0.9144 },
    mi: { factor: 1609.344 },
    nmi: { factor: 1852 },
  },
  {
    kg: { factor: 1 },
    g: { factor: 0.001 },
    mg: { factor: 0.000_001 },
    t: { factor: 1000 },
    lb: { factor: 0.453_592_37 },
    oz: { factor: 0.028_349_523_125 },
  },
  { l: { factor: 1 }, ml: { factor: 0.001 }, m3: { factor: 1000 }, gal: { factor: 3.785_411_784 } },
  { s: { factor: 1 }, ms: { factor: 0.001 }, min: { factor: 60 }, h: { factor: 3600 }, d: { factor: 86_400 } },
  // From Celsius: from Kelvin, Fahrenheit would be the difference of two large numbers and lose digits.
  { C: { factor: 1 }, K: { factor: 1, offset: -273.15 }, F: { factor: 5 / 9, offset: -160 / 9 } },
];

/** Names of the units, by quantity. */
export const UNITS: readonly (readonly string[])[] = QUANTITIES.map((units) => Object.keys(units));

/** `value * multiply + add` converts; undefined between units that are not of one quantity. */
export function conversionOf({
  from,
  to,
}: {
  readonly from: string;
  readonly to: string;
}): { readonly multiply: number; readonly add: number } | undefined {
  for (const units of QUANTITIES) {
    const [one, other] = [units[from], units[to]];
    if (one === undefined || other === undefined) continue;
    return { multiply: one.factor / other.factor, add: ((one.offset ?? 0) - (other.offset ?? 0)) / other.factor };
  }
  return undefined;
}
