import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import type { Action } from "#api";
import { ProblemError } from "../services/api.ts";
import { queries } from "../services/queries.ts";
import { Icon, type IconName } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { Modal } from "./overlay.tsx";
import { Problem } from "./page.tsx";
import { useProblemText } from "./problem-text.ts";

interface CommandButtonProps<Answer> {
  readonly label: string;
  readonly icon: IconName;
  readonly action: Action;
  readonly run: () => Promise<Answer>;
  readonly onDone?: (answer: Answer) => void;
  readonly done: string;
  /** Asks first, in a dialog that says what will happen. */
  readonly confirm?: { readonly title: string; readonly content: ReactNode };
  readonly variant?: "filled" | "default" | "danger";
  readonly disabled?: boolean;
  readonly size?: "xs" | "sm";
}

/** A button that asks the server to do something; it is not offered to those who may not. */
export function CommandButton<Answer>(props: CommandButtonProps<Answer>) {
  const { label, icon, action, run, onDone, done, confirm, variant = "default", disabled = false, size = "sm" } = props;
  const { t } = useLanguage();
  const client = useQueryClient();
  const session = useQuery(queries.session());
  const [isAsking, setAsking] = useState(false);
  const command = useMutation({
    mutationFn: run,
    onSuccess: (answer) => {
      setAsking(false);
      notifications.show({ message: done, color: "teal" });
      void client.invalidateQueries();
      onDone?.(answer);
    },
    onError: (error) => {
      if (confirm === undefined)
        notifications.show({
          title: error instanceof ProblemError ? error.problem.code : t("problem.title"),
          message: <ProblemLine error={error} />,
          color: "red",
          autoClose: false,
        });
    },
  });
  if (session.data !== undefined && !session.data.capabilities.includes(action)) return null;
  const look = variant === "danger" ? { variant: "default" as const } : { variant };
  return (
    <>
      <Button
        {...look}
        size={size}
        leftSection={<Icon name={icon} size={14} />}
        loading={command.isPending && confirm === undefined}
        disabled={disabled}
        onClick={() => (confirm === undefined ? command.mutate() : setAsking(true))}
      >
        {label}
      </Button>
      {confirm !== undefined && (
        <Modal
          opened={isAsking}
          onClose={() => setAsking(false)}
          title={confirm.title}
          closeButtonProps={{ "aria-label": t("shell.close") }}
        >
          <div className="form">
            {confirm.content}
            {command.error !== null && <Problem error={command.error} />}
            <div className="form-actions">
              <Button variant="default" onClick={() => setAsking(false)}>
                {t("form.cancel")}
              </Button>
              <Button
                loading={command.isPending}
                onClick={() => command.mutate()}
                {...(variant === "danger" ? { color: "red.8" } : {})}
              >
                {label}
              </Button>
            </div>
          </div>
        </Modal>
      )}
    </>
  );
}

function ProblemLine({ error }: { readonly error: Error }) {
  const { message, hint } = useProblemText(error instanceof ProblemError ? error.problem : undefined);
  return (
    <>
      {error instanceof ProblemError ? [message, hint].filter((part) => part !== undefined).join(" ") : error.message}
    </>
  );
}
