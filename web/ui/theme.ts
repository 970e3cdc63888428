import { createTheme, type MantineColorsTuple } from "@mantine/core";

const teal: MantineColorsTuple = [
  "#e4f6f4",
  "#cdeae7",
  "#a0d5d0",
  "#70c0b9",
  "#48aea5",
  "#2fa29a",
  "#1d8f87",
  "#0d746e",
  "#0d5f5b",
  "#06504c",
];

/** Colours, type and radii; the rest is in `ui/style.css`, as custom properties for light and dark. */
export const theme = createTheme({
  primaryColor: "teal",
  primaryShade: 8,
  colors: { teal },
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  defaultRadius: "md",
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
});
