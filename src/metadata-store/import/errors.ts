import { defineError, type ErrorFactory } from "#base";

export const importSourceUnreadable: ErrorFactory<{ from: string; reason: string }> = defineError(
  "METADATA_STORE_IMPORT_SOURCE_UNREADABLE",
  {
    status: 400,
    message: ({ from, reason }) => `${from} cannot be read as an MLflow store: ${reason}`,
    hint: () =>
      "Give the server's --backend-store-uri: a SQLite file (sqlite:///mlflow.db or its path), postgresql://…, or the folder ./mlruns.",
    solve:
      "Name the backend store of the MLflow server: its database address or its `mlruns` folder. MySQL and SQL Server are not read: copy such a store into SQLite or PostgreSQL first.",
  },
);
