import type { DrawerProps, ModalProps } from "@mantine/core";
import { lazy, type ReactNode, Suspense, useState } from "react";

const LoadedModal = lazy(() => import("./mantine-modal.ts"));
const LoadedDrawer = lazy(() => import("./mantine-drawer.ts"));

/** A dialog; what draws it is loaded when one is opened first. */
export function Modal(props: ModalProps) {
  return <OnceOpened opened={props.opened} draw={() => <LoadedModal {...props} />} />;
}

/** A panel at the edge; what draws it is loaded when one is opened first. */
export function Drawer(props: DrawerProps) {
  return <OnceOpened opened={props.opened} draw={() => <LoadedDrawer {...props} />} />;
}

/** It stays once it was open: closing is drawn too. */
function OnceOpened({ opened, draw }: { readonly opened: boolean; readonly draw: () => ReactNode }) {
  const [wasOpened, setWasOpened] = useState(opened);
  if (opened && !wasOpened) setWasOpened(true);
  return wasOpened || opened ? <Suspense fallback={null}>{draw()}</Suspense> : null;
}
