import { Kbd } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { NAVIGATION } from "../routes/navigation.ts";
import { useLanguage } from "./language.tsx";
import { Modal } from "./overlay.tsx";

const GO_WITHIN_MS = 1200;

interface ShortcutsProps {
  readonly isHelpOpen: boolean;
  readonly setHelpOpen: (isOpen: boolean) => void;
}

/** `g` and a letter go to a page, `/` goes to the filter, `?` shows this list. None while someone types. */
export function Shortcuts({ isHelpOpen, setHelpOpen }: ShortcutsProps) {
  const { t } = useLanguage();
  const navigate = useNavigate();
  const goAt = useRef(0);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key === "?") setHelpOpen(true);
      else if (event.key === "/") focusFilter(event);
      else if (event.key === "g") goAt.current = Date.now();
      else if (Date.now() - goAt.current < GO_WITHIN_MS) {
        const item = NAVIGATION.flatMap((group) => group.items).find(({ shortcut }) => shortcut === event.key);
        if (item !== undefined) void navigate({ to: item.to });
        goAt.current = 0;
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [navigate, setHelpOpen]);
  const close = t("shell.close");
  return (
    <Modal
      opened={isHelpOpen}
      onClose={() => setHelpOpen(false)}
      title={t("shell.shortcuts")}
      closeButtonProps={{ "aria-label": close }}
    >
      <ul className="shortcut-list">
        {NAVIGATION.flatMap((group) => group.items).map((item) => (
          <li key={item.to}>
            <span>{t("shortcut.go", { page: t(item.label) })}</span>
            <span>
              <Kbd>g</Kbd> <Kbd>{item.shortcut}</Kbd>
            </span>
          </li>
        ))}
        <li>
          <span>{t("shortcut.filter")}</span>
          <Kbd>/</Kbd>
        </li>
        <li>
          <span>{t("shortcut.help")}</span>
          <Kbd>?</Kbd>
        </li>
        <li>
          <span>{t("shortcut.close")}</span>
          <Kbd>Esc</Kbd>
        </li>
      </ul>
    </Modal>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}

function focusFilter(event: KeyboardEvent): void {
  const filter = document.querySelector<HTMLInputElement>("input[data-filter]");
  if (filter === null) return;
  event.preventDefault();
  filter.focus();
}
