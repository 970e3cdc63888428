import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import type { Session } from "#api";
import { call, ProblemError } from "../services/api.ts";
import { credentials } from "../services/credentials.ts";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { Modal } from "./overlay.tsx";
import { Problem } from "./page.tsx";
import { Command } from "./text.tsx";

/**
 * Who is looking; opens the dialog to sign in as someone else, with a token: by itself where nobody may look without.
 */
export function SignIn({
  session,
  error: refused,
}: {
  readonly session: Session | undefined;
  readonly error: unknown;
}) {
  const { t, name } = useLanguage();
  const client = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const [token, setToken] = useState("");
  const [error, setError] = useState<unknown>();
  const mustSignIn = refused instanceof ProblemError && refused.problem.code === "ACCESS_UNAUTHENTICATED";
  useEffect(() => {
    if (mustSignIn) setOpen(true);
  }, [mustSignIn]);
  const signIn = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    credentials.set(token.trim());
    try {
      await call("getSession", {});
      setOpen(false);
      setToken("");
      setError(undefined);
      void client.invalidateQueries();
    } catch (failure) {
      credentials.clear();
      setError(failure);
    }
  };
  const signOut = (): void => {
    credentials.clear();
    setOpen(false);
    void client.invalidateQueries();
  };
  return (
    <>
      <button type="button" className="sidebar-identity" onClick={() => setOpen(true)} title={t("signIn.title")}>
        <Icon name="person" size={14} />
        <span>{session?.identity.name ?? t("signIn.title")}</span>
        <span className="muted">{session?.identity.roles.map((role) => name("userRole", role)).join(", ")}</span>
      </button>
      <Modal
        opened={isOpen}
        onClose={() => setOpen(false)}
        title={t("signIn.title")}
        closeButtonProps={{ "aria-label": t("shell.close") }}
      >
        <form className="form" onSubmit={(event) => void signIn(event)}>
          <p>{t("signIn.text")}</p>
          <label className="label">
            {t("signIn.token")}
            <input
              className="field"
              type="password"
              autoComplete="off"
              required
              value={token}
              onChange={(event) => setToken(event.target.value)}
              data-autofocus
            />
          </label>
          {error !== undefined && <Problem error={error} />}
          <p className="muted">{t("signIn.create")}</p>
          <Command text="esteira user create NAME --role reviewer" />
          <div className="form-actions">
            {credentials.has() && (
              <Button variant="default" onClick={signOut}>
                {t("signIn.out")}
              </Button>
            )}
            <Button type="submit">{t("signIn.in")}</Button>
          </div>
        </form>
      </Modal>
    </>
  );
}
