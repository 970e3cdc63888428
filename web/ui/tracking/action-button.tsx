import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { Icon, type IconName } from "../icon.tsx";
import { Modal } from "../overlay.tsx";
import { Problem } from "../page.tsx";
import { useTrackingText } from "./text.ts";

export interface ActionField {
  readonly name: string;
  readonly label: string;
  readonly value?: string;
  readonly isOptional?: boolean;
  readonly isLong?: boolean;
}

interface ActionButtonProps {
  readonly label: string;
  readonly icon: IconName;
  readonly title: string;
  readonly text?: ReactNode;
  readonly fields?: readonly ActionField[];
  readonly run: (values: Readonly<Record<string, string>>) => Promise<unknown>;
  readonly onDone?: () => void;
  readonly isDanger?: boolean;
  readonly isFilled?: boolean;
  readonly isSmall?: boolean;
  readonly disabled?: boolean;
}

/** Asks in a dialog, with fields if there are any, and does it; what the server refuses is told in the dialog. */
export function ActionButton(props: ActionButtonProps) {
  const {
    label,
    icon,
    title,
    text,
    fields = [],
    run,
    onDone,
    isDanger = false,
    isFilled = false,
    isSmall = false,
    disabled = false,
  } = props;
  const { t } = useTrackingText();
  const client = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const action = useMutation({
    mutationFn: run,
    onSuccess: () => {
      setOpen(false);
      notifications.show({ message: t("action.done", { action: label }), color: "teal" });
      void client.invalidateQueries({ queryKey: ["tracking"] });
      void client.invalidateQueries({ queryKey: ["registry"] });
      onDone?.();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const values = new FormData(event.currentTarget);
    action.mutate(Object.fromEntries(fields.map(({ name }) => [name, textOf(values.get(name))])));
  };
  const open = (): void => {
    action.reset();
    setOpen(true);
  };
  return (
    <>
      <Button
        variant={isFilled ? "filled" : "default"}
        size={isSmall ? "xs" : "sm"}
        leftSection={<Icon name={icon} size={14} />}
        disabled={disabled}
        onClick={open}
      >
        {label}
      </Button>
      <Modal
        opened={isOpen}
        onClose={() => setOpen(false)}
        title={title}
        closeButtonProps={{ "aria-label": t("shell.close") }}
      >
        <form className="form" onSubmit={submit}>
          {text !== undefined && <div>{text}</div>}
          {fields.map((field, index) => (
            <label key={field.name} className="label">
              {field.label}
              {field.isLong === true ? (
                <textarea
                  className="field"
                  name={field.name}
                  rows={8}
                  defaultValue={field.value}
                  required={field.isOptional !== true}
                  data-autofocus={index === 0 || undefined}
                />
              ) : (
                <input
                  className="field"
                  name={field.name}
                  autoComplete="off"
                  defaultValue={field.value}
                  required={field.isOptional !== true}
                  data-autofocus={index === 0 || undefined}
                />
              )}
            </label>
          ))}
          {action.error !== null && <Problem error={action.error} />}
          <div className="form-actions">
            <Button variant="default" onClick={() => setOpen(false)}>
              {t("form.cancel")}
            </Button>
            <Button type="submit" loading={action.isPending} {...(isDanger ? { color: "red.8" } : {})}>
              {label}
            </Button>
          </div>
        </form>
      </Modal>
    </>
  );
}

function textOf(value: FormDataEntryValue | null): string {
  return typeof value === "string" ? value : "";
}
